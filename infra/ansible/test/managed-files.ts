import type { Played } from './playbook.ts';
import type { Servers } from './servers.ts';
import { lookAtAll } from './state.ts';

/**
 * Adds an empty line to each file that a task wrote or that says it is Ansible's.
 *
 * @param first the run that configured the servers
 * @returns `host:file` of each
 */
export async function alterEveryManagedFile(servers: Servers, first: Played): Promise<string[]> {
  const written = first.results.flatMap(({ host, file }) => (file ? [`${host}:${file}`] : []));
  const marked = Object.entries(await lookAtAll(servers, 'marked')).flatMap(([host, files]) =>
    files.map((file) => `${host}:${file}`),
  );
  const altered = [...new Set([...written, ...marked])].sort();
  for (const { name } of servers.inventory.servers) {
    const files = altered.flatMap((entry) => {
      const [host, file = ''] = entry.split(':');
      return host === name ? [file] : [];
    });
    await servers.console(name, [
      'sh',
      '-ec',
      'for file; do echo >> "$file"; done',
      'sh',
      ...files,
    ]);
  }
  return altered;
}

/** Those of `altered` that a run has not said it changes. */
export function unreported(altered: readonly string[], { results }: Played): string[] {
  const reported = new Set(
    results.filter(({ changed }) => changed).map(({ host, file }) => `${host}:${file}`),
  );
  return altered.filter((file) => !reported.has(file));
}
