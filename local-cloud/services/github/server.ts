import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bodyOf, json, type Listening, listen } from '../http.ts';
import { ArtifactStore } from './artifacts.ts';

/** What the emulator knows of a workflow run; whoever starts and ends a run reports it here. */
export interface WorkflowRun {
  id: number;
  status: 'in_progress' | 'completed';
  conclusion: 'success' | 'failure' | 'cancelled' | null;
  head_sha: string;
  event: string;
  path: string;
}

/**
 * The part of GitHub that the actions talk to: the artifact service and the state of
 * workflow runs (which proves that the owner of a lock is dead).
 */
export function startGitHub(options: { address: string; folder: string }): Promise<Listening> {
  const store = new ArtifactStore(join(options.folder, 'artifacts'));
  const file = join(options.folder, 'runs.json');
  const runs: WorkflowRun[] = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as WorkflowRun[])
    : [];

  return listen(options.address, async (request, response, url) => {
    if (store.handles(url.pathname)) return store.handle(request, response, url);
    const [, id, list] =
      /^\/repos\/[^/]+\/[^/]+\/actions\/runs\/(\d+)(\/artifacts)?$/.exec(url.pathname) ?? [];
    const found = runs.find((run) => run.id === Number(id));
    if (request.method === 'PUT' && url.pathname === '/_runs') {
      const run = JSON.parse((await bodyOf(request)).toString('utf8')) as WorkflowRun;
      runs.splice(0, runs.length, ...runs.filter((known) => known.id !== run.id), run);
      writeFileSync(`${file}.new`, JSON.stringify(runs, null, 2));
      renameSync(`${file}.new`, file);
      return json(response, 200, run);
    }
    if (request.method !== 'GET' || !found) return json(response, 404, { message: 'Not Found' });
    if (!list) return json(response, 200, found);
    const artifacts = store.of(String(found.id)).map((artifact) => ({
      id: artifact.id,
      name: artifact.name,
      size_in_bytes: artifact.size,
      created_at: artifact.createdAt,
      expired: false,
      workflow_run: { id: found.id, head_sha: found.head_sha },
    }));
    return json(response, 200, { total_count: artifacts.length, artifacts });
  });
}
