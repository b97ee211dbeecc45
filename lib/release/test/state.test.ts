import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { caddy, root } from '../layout.ts';
import { Here } from './fixture/here.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-state-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A server whose Docker does this. */
function server(docker: string): Here {
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\n${docker}\n`);
  chmodSync(join(folder, 'docker'), 0o755);
  return new Here('app-1', folder, folder);
}

function put(path: string, content: string): void {
  const file = path.replace(root, folder);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

test('a Docker that does not answer is no server on which nothing runs', async () => {
  await expect(server('exit 1').state()).rejects.toThrow();
});

test('a server on which nothing runs yet', async () => {
  expect(await server('exit 0').state()).toEqual({
    slots: [],
    edge: undefined,
    outOfRotation: false,
  });
});

test('the file that Caddy would start with, and whether requests come', async () => {
  put(`${caddy.configuration}/Caddyfile`, '');
  put(caddy.outOfRotation, '');
  expect(await server('exit 0').state()).toMatchObject({
    outOfRotation: true,
    caddyfile: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  });
});
