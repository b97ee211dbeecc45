import { setTimeout as sleep } from 'node:timers/promises';
import type { Servers } from './servers.ts';

const SCRIPT = {
  /** What a run may not touch when there is nothing to do: hashes, rights, units, packages. */
  settings: `
    find /etc /usr/local -xdev -type f -exec sha256sum {} +
    find /etc /usr/local -xdev -printf '%p %M %u %g %l\\n'
    systemctl list-unit-files --no-legend --plain
    dpkg-query --show --showformat='\${Package} \${Version} \${db:Status-Abbrev}\\n'`,
  /** Files that say of themselves whose they are. */
  marked: `grep --recursive --files-with-matches --extended-regexp \\
    '(Ansible managed|Managed by Ansible)' /etc /usr/local /opt/compta || true`,
  /** Shell scripts and YAML files of the roles. */
  scripts: `grep --files-with-matches --extended-regexp '^#!/bin/(ba)?sh' /usr/local/sbin/compta-*`,
  documents: `find /etc/prometheus /opt/compta -name '*.yml' 2> /dev/null || true`,
  /** Each enabled service and timer with what it does now, and who listens beyond loopback. */
  running: `
    systemctl list-unit-files --state=enabled --type=service,timer --no-legend --plain |
      while read -r unit rest; do echo "$unit $(systemctl is-active "$unit")"; done
    ss --no-header --listening --tcp --udp --numeric | awk '$5 !~ /^127\\./ { print $1, $5 }'`,
  /** Addresses beyond loopback that something listens on. */
  listening: `ss --no-header --listening --tcp --udp --numeric | awk '{ print $1, $5 }' |
    grep --invert-match --extended-regexp '(127\\.[0-9.]+(%lo)?|\\[::1\\]):' || true`,
  failed: 'systemctl list-units --failed --no-legend --plain',
} as const;

/** Lines about a server, sorted. */
export async function look(
  servers: Servers,
  server: string,
  what: keyof typeof SCRIPT,
): Promise<string[]> {
  const text = await servers.console(server, ['bash', '-euc', SCRIPT[what]]);
  return [...new Set(text.split('\n').filter((line) => line !== ''))].sort();
}

/** The same of every server, by name. */
export async function lookAtAll(
  servers: Servers,
  what: keyof typeof SCRIPT,
): Promise<Record<string, string[]>> {
  const names = servers.inventory.servers.map(({ name }) => name);
  const entries = names.map(async (name) => [name, await look(servers, name, what)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** Reboots a server and waits until systemd is done with it, for five minutes at most. */
export async function reboot(servers: Servers, server: string): Promise<void> {
  // On a tmpfs, so that each boot has another one.
  const boot = () => servers.console(server, ['stat', '--format=%z', '/run/powered']);
  const before = await boot();
  await servers.console(server, ['systemctl', 'reboot']).catch(() => {});
  for (const deadline = Date.now() + 300_000; Date.now() < deadline; await sleep(500)) {
    const now = await boot().catch(() => before);
    if (now === before) continue;
    const state = ['sh', '-c', 'systemctl is-system-running --wait || true'];
    if (/running|degraded/.test(await servers.console(server, state).catch(() => ''))) return;
  }
  throw new Error(`${server} did not come back from its reboot within five minutes.`);
}
