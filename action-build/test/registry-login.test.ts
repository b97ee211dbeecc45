import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { writeLogin } from '../src/registry-login.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'compta-login-'));
  mkdirSync(join(home, '.docker/contexts'), { recursive: true });
});
afterEach(() => rmSync(home, { recursive: true }));

/** What Docker is told, of a user whose own configuration is `config`. */
function written(config: object, registry: string): Record<string, Record<string, unknown>> {
  writeFileSync(join(home, '.docker/config.json'), JSON.stringify(config));
  const login = { username: 'ci', password: 'swordfish-77' };
  const { authFile = '' } = writeLogin(login, registry, join(home, 'ours'), { HOME: home });
  return JSON.parse(readFileSync(authFile, 'utf8'));
}
const auth = Buffer.from('ci:swordfish-77').toString('base64');

test('the context that the user has selected is there as well', () => {
  const told = written({ currentContext: 'rootless' }, 'registry.test/compta');
  expect(told.currentContext).toBe('rootless');
  writeFileSync(join(home, '.docker/contexts/meta'), 'rootless');
  expect(readFileSync(join(home, 'ours/contexts/meta'), 'utf8')).toBe('rootless');
});

test('no store and no helper is asked in the place of the login; other registries keep theirs', () => {
  const told = written(
    {
      credsStore: 'desktop',
      auths: { 'ghcr.io': {}, 'registry.test': {} },
      credHelpers: { 'registry.test': 'ecr-login', 'gcr.io': 'gcloud' },
    },
    'registry.test/compta',
  );
  expect(told).toEqual({
    auths: { 'ghcr.io': {}, 'registry.test': { auth } },
    credHelpers: { 'ghcr.io': 'desktop', 'gcr.io': 'gcloud' },
  });
});

test('a configuration that is no JSON is named, and not quoted', () => {
  writeFileSync(join(home, '.docker/config.json'), `{"auths":{"ghcr.io":{"auth":${auth}}}}`);
  const write = () =>
    writeLogin({ username: 'ci', password: 'x' }, 'registry.test/compta', join(home, 'ours'), {
      HOME: home,
    });
  expect(write).toThrow(`${home}/.docker/config.json is not JSON`);
  expect(write).not.toThrow(auth.slice(0, 6));
});

test("Docker's own registry is known by both of its names", () => {
  const { auths } = written({}, 'docker.io/compta');
  expect(auths).toEqual({ 'docker.io': { auth }, 'https://index.docker.io/v1/': { auth } });
});
