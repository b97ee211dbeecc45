import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DefaultArtifactClient } from '@actions/artifact';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startGitHub } from '../services/github/server.ts';
import type { Listening } from '../services/http.ts';

/** GitHub's own client, unmodified, against the artifact service. */
const address = '127.0.0.1:18094';
let folder: string;
let github: Listening;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-github-'));
  github = await startGitHub({ address, folder });
  process.env.ACTIONS_RESULTS_URL = github.url;
  process.env.ACTIONS_RUNTIME_TOKEN = tokenOf('run-1');
  process.env.GITHUB_WORKSPACE = folder;
});

afterEach(async () => {
  await github.close();
  rmSync(folder, { recursive: true });
});

test('a file travels from one job to another through the real client', async () => {
  const client = new DefaultArtifactClient();
  const plan = join(folder, 'plan.sealed');
  writeFileSync(plan, 'sealed bytes');
  const { id } = await client.uploadArtifact('terraform-plan', [plan], folder);

  const { artifacts } = await client.listArtifacts();
  expect(artifacts).toEqual([expect.objectContaining({ name: 'terraform-plan', id })]);
  await client.downloadArtifact(id ?? 0, { path: join(folder, 'down') });
  expect(readFileSync(join(folder, 'down', 'plan.sealed'), 'utf8')).toBe('sealed bytes');
});

test('another run sees nothing of it, and a name is taken once a run', async () => {
  const client = new DefaultArtifactClient();
  const plan = join(folder, 'plan.sealed');
  writeFileSync(plan, 'sealed bytes');
  await client.uploadArtifact('terraform-plan', [plan], folder);
  await expect(client.uploadArtifact('terraform-plan', [plan], folder)).rejects.toThrow('409');

  process.env.ACTIONS_RUNTIME_TOKEN = tokenOf('run-2');
  expect((await client.listArtifacts()).artifacts).toEqual([]);
});

function tokenOf(run: string): string {
  const claims = Buffer.from(JSON.stringify({ scp: `Actions.Results:${run}:job-1` }));
  return `header.${claims.toString('base64url')}.signature`;
}
