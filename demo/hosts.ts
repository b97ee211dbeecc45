/**
 * @param hosts file that is /etc/hosts for this program and its children, and for nobody else on
 *   the machine; the machine's own when it is left out
 * @returns the command that runs `argv` so
 */
export function withHosts(hosts: string | undefined, argv: readonly string[]): string[] {
  if (hosts === undefined) return [...argv];
  const mount = 'mount --bind "$0" /etc/hosts; exec "$@"';
  return ['unshare', '--mount', '--propagation=slave', 'sh', '-euc', mount, hosts, ...argv];
}
