import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { githubRunner } from '../../lib/runner/runner.ts';
import { ensureBuilder } from '../src/builder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-builder-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A docker that does this when it is asked. */
function docker(script: string): NodeJS.ProcessEnv {
  writeFileSync(join(folder, 'docker'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}:${process.env.PATH}` };
}

const NONE = 'No usable builder: install docker buildx, or select one with BUILDX_BUILDER.';

test('without buildx it says what to do', async () => {
  const env = docker('exit 1');
  const ensured = ensureBuilder(env, githubRunner({}), new AbortController().signal);
  await expect(ensured).rejects.toThrow(NONE);
});

test('one that is cancelled while buildx is asked says so', async () => {
  const env = docker(`: >"$0.asked"; exec sleep 60`);
  const cancelling = new AbortController();
  const ensured = ensureBuilder(env, githubRunner({}), cancelling.signal);
  const asked = setInterval(() => {
    if (existsSync(join(folder, 'docker.asked'))) cancelling.abort();
  }, 20);
  await expect(ensured.finally(() => clearInterval(asked))).rejects.toThrow('docker was cancelled');
});
