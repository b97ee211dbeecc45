import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startGitHub } from '../../../local-cloud/services/github/server.ts';
import { githubArtifacts } from '../artifacts.ts';

let folder: string;
let github: Awaited<ReturnType<typeof startGitHub>>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-artifacts-'));
  github = await startGitHub({ address: '127.0.0.1:18097', folder });
  const claims = Buffer.from(JSON.stringify({ scp: 'Actions.Results:run-1:job-1' }));
  process.env.ACTIONS_RESULTS_URL = github.url;
  process.env.ACTIONS_RUNTIME_TOKEN = `header.${claims.toString('base64url')}.signature`;
  process.env.GITHUB_WORKSPACE = folder;
});
afterEach(async () => {
  await github.close();
  rmSync(folder, { recursive: true });
});

describe('an artifact of the run', () => {
  const artifacts = githubArtifacts();
  const results = () => join(folder, 'results');

  it('is a folder or a file, and a job that runs again replaces it', async () => {
    mkdirSync(join(results(), 'k6'), { recursive: true });
    for (const attempt of ['first', 'second']) {
      writeFileSync(join(results(), 'k6/summary.json'), attempt);
      await artifacts.remove('results');
      await artifacts.upload('results', results());
    }
    await artifacts.upload('one', join(results(), 'k6/summary.json'));

    const received = join(folder, 'received');
    expect(await artifacts.download('results', received)).toBe(true);
    expect(readFileSync(join(received, 'k6/summary.json'), 'utf8')).toBe('second');
    expect(await artifacts.download('one', received)).toBe(true);
    expect(readFileSync(join(received, 'summary.json'), 'utf8')).toBe('second');
  });

  it('is missing when the run has none of that name', async () => {
    expect(await artifacts.download('results', join(folder, 'received'))).toBe(false);
  });
});
