import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { githubRunner } from '../../lib/runner/runner.ts';
import { runAction } from '../../lib/runner/test/start-action.ts';
import { readInputs } from '../src/inputs.ts';

const good = {
  images: '- { name: auth-service, context: . }',
  registry: 'registry.test:5000/compta',
  version: '1.4.0',
};

test.each([
  ['images', '', 'is missing'],
  ['images', '[]', 'is not valid'],
  ['images', '- { name: auth-service }', 'context'],
  ['images', '- { name: auth-service, context: ., from: develop }', 'needs `context`'],
  ['images', '- { name: auth-service, from: feature/x }', 'is no image tag'],
  ['images', '- { name: Auth, context: . }', 'is no image name'],
  ['images', '- { name: a/../b, context: . }', 'is no image name'],
  ['images', '- { name: a, context: ., dockerfile: x }', 'dockerfile'],
  ['images', '- { name: a, context: . }\n- { name: a, context: b }', "has 'a' twice"],
  ['images', '- { name: [', 'is not YAML'],
  ['images', '- { name: a, context: nowhere }', "has 'nowhere' for a, which does not exist"],
  ['images', '- { name: a, context: ., file: b/Dockerfile }', "has 'b/Dockerfile' for a"],
  ['registry', '', 'is missing'],
  ['registry', 'https://registry.test/compta', 'without scheme'],
  ['registry', 'compta/production', 'names no host'],
  ['version', '', 'is missing'],
  ['version', '1.4.0+build', 'is no image tag'],
  ['tags', 'develop\nfeature/x', "has 'feature/x'"],
  ['tags', 'buildcache', 'is kept for what lies beside images'],
  ['platforms', 'amd64', 'linux/amd64'],
  ['severity', 'CRITICAL,SEVERE', "has 'SEVERE'"],
  ['ignore-unfixed', 'yes', 'give true or false'],
  ['push', '1', 'give true or false'],
  ['ignore-file', '/nowhere.yaml', "names '/nowhere.yaml'"],
  ['trivy-database-grace', '3 days', 'give a duration'],
  ['trivy-database-mirror', 'https://registry.test/aquasec', 'without scheme'],
  ['tool-mirror', 'mirror.test', 'give a URL'],
  ['cache', 'layers', 'an absolute folder'],
  ['attest', 'no', 'give true or false'],
  ['parallel', '2.0', 'whole number from 1 to 16'],
  ['parallel', '0', 'whole number from 1 to 16'],
  ['username', 'pipeline', "Input 'password' is missing"],
  ['password', 'a-registry-password', "Input 'username' is missing"],
  ['sign-key', 'cosign.key', 'is no private key of cosign'],
  [
    'sign-key',
    '-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----',
    "Input 'sign-password' is missing",
  ],
  ['sign-password', 'a-password-of-a-key', "Input 'sign-key' is missing"],
])(
  '%s: %j ends the step with one annotation that says what is wrong',
  async (name, value, says) => {
    const ended = await runAction('action-build', { ...good, [name]: value });
    expect(ended.exitCode).toBe(1);
    expect(ended.errors).toHaveLength(1);
    expect(ended.errors[0]).toContain(`Input '${says.startsWith('Input') ? '' : name}`);
    expect(ended.errors[0]).toContain(says);
  },
);

test('build arguments are the text that stands there; one that nobody has set is left out', () => {
  const args = 'JAVA: 1.10\n    LINE: 010\n    DEBUG: true\n    BASE_IMAGE:';
  const images = `- name: auth-service\n  context: .\n  build-args:\n    ${args}`;
  const given: Record<string, string> = { ...good, images };
  const { images: read } = readInputs({ ...githubRunner({}), input: (name) => given[name] ?? '' });
  expect(read).toMatchObject([
    { buildArgs: { JAVA: '1.10', LINE: '010', DEBUG: 'true', BASE_IMAGE: '' } },
  ]);
});

test('a cache in the checkout is refused: it decides what passes', async () => {
  const checkout = mkdtempSync(join(tmpdir(), 'compta-checkout-'));
  const inputs = { ...good, cache: join(checkout, 'layers') };
  const ended = await runAction('action-build', inputs, { GITHUB_WORKSPACE: checkout });
  rmSync(checkout, { recursive: true });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining('inside the checkout')]);
});

test('a SOURCE_DATE_EPOCH that is a date is refused before anything is built', async () => {
  const ended = await runAction('action-build', good, { SOURCE_DATE_EPOCH: '2026-11-27' });
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining("SOURCE_DATE_EPOCH is '2026-11-27'")]);
});

test('a version of Trivy that is a range is refused', async () => {
  const { RUNNER_TOOL_CACHE = '' } = process.env;
  const ended = await runAction(
    'action-build',
    { ...good, 'trivy-version': 'latest' },
    { RUNNER_TOOL_CACHE },
  );
  expect(ended.exitCode).toBe(1);
  expect(ended.errors).toEqual([expect.stringContaining("trivy 'latest' is no exact version")]);
});

test('Trivy comes from the mirror that was named, and is held to its sum', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'compta-mirror-'));
  const asked: string[] = [];
  const mirror = createServer(({ url = '' }, response) => {
    asked.push(url);
    response.end('something else');
  });
  await new Promise<void>((resolve) => mirror.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}/tools`;
  const inputs = { ...good, 'tool-mirror': base };
  const ended = await runAction('action-build', inputs, { RUNNER_TOOL_CACHE: cache });
  mirror.close();
  rmSync(cache, { recursive: true });
  const path = '/aquasecurity/trivy/releases/download/v0.70.0/trivy_0.70.0_Linux-64bit.tar.gz';
  expect(asked).toEqual([`/tools${path}`]);
  expect(ended.errors).toEqual([
    expect.stringMatching(/has SHA-256 [0-9a-f]{64}, but trivy 0\.70\.0 has .*It was not unpacked/),
  ]);
});
