import { mkdtempSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../process/run.ts';

/**
 * Brings an archive here: by download, or for `mvn:` and `npm:` by the runner's own client, which knows
 * the mirrors and logins of its settings. What comes is not trusted yet.
 *
 * @returns the file.
 */
export async function fetchArchive(url: string, cancelled?: AbortSignal): Promise<string> {
  const [, scheme, name = ''] = /^(mvn|npm):(.+)$/.exec(url) ?? [];
  if (scheme === undefined) return download(url, cancelled);
  const folder = mkdtempSync(join(process.env.RUNNER_TEMP ?? tmpdir(), 'compta-tool-'));
  const argv = scheme === 'mvn' ? mavenArgv(name, folder) : npmArgv(name, folder);
  // Beside no project, and with no input of the action: among those are secrets.
  const env = Object.entries(process.env).filter(([variable]) => !variable.startsWith('INPUT_'));
  await run(argv, {
    cwd: folder,
    env: Object.fromEntries(env),
    ...(cancelled && { signal: cancelled }),
  });
  const [file = ''] = readdirSync(folder);
  const archive = `${folder}.archive`;
  renameSync(join(folder, file), archive);
  rmdirSync(folder);
  return archive;
}

/** Who is cancelled does not wait for its end, which it has no word for. */
async function download(url: string, cancelled?: AbortSignal): Promise<string> {
  const { downloadTool } = await import('@actions/tool-cache');
  cancelled?.throwIfAborted();
  const stopped = new Promise<never>((_, reject) => {
    cancelled?.addEventListener('abort', () => reject(cancelled.reason), { once: true });
  });
  return Promise.race([downloadTool(url), stopped]);
}

function mavenArgv(artifact: string, folder: string): string[] {
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
  const options = ['--batch-mode', '--no-transfer-progress', '--quiet'];
  return ['mvn', ...options, goal, `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`];
}

function npmArgv(name: string, folder: string): string[] {
  return ['npm', 'pack', name, `--pack-destination=${folder}`, '--silent', '--ignore-scripts'];
}
