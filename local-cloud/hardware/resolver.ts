import { readFile } from 'node:fs/promises';

/** Where systemd-resolved writes the real servers behind its own loopback address. */
const FILES = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

/**
 * The name servers that a server in its own network namespace can reach as well.
 * @throws Error when the machine knows only loopback ones.
 */
export async function reachableNameServers(files: readonly string[] = FILES): Promise<string[]> {
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const servers = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] as string);
    const reachable = servers.filter((s) => !s.startsWith('127.') && !s.includes(':'));
    if (reachable.length > 0) return reachable;
  }
  throw new Error(
    `${files.join(' and ')} name no resolver outside this machine's loopback: the servers could ` +
      'not resolve names; add a "nameserver" line with an IPv4 address to the first',
  );
}
