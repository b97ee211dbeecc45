import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Build, onPath } from './build.ts';
import type { DebianPackage } from './pins.ts';

type Exec = Build['exec'];

const POLICY = '/usr/sbin/policy-rc.d';
const POLICY_TEXT = '#!/bin/sh\n# COMPTA: installing a package starts no service.\nexit 101\n';

/** The packages whose command the machine lacks. A command from elsewhere is as good. */
export function absent(
  packages: readonly DebianPackage[],
  has: (command: string) => boolean = (command) => onPath(command) !== undefined,
): DebianPackage[] {
  return packages.filter(({ command }) => !has(command));
}

/**
 * Installs packages. No service is started by it, now or at the next boot: the local
 * cloud starts its own daemons and ends them.
 *
 * @throws CommandFailed from apt-get.
 */
export async function installDebian(packages: readonly DebianPackage[], exec: Exec): Promise<void> {
  const apt = (...args: string[]) =>
    exec(['apt-get', '-o', 'DPkg::Lock::Timeout=300', '-qq', ...args], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    });
  const ours = denyStarts();
  try {
    await apt('update');
    await apt('install', '--yes', '--no-install-recommends', ...packages.map((p) => p.package));
    const services = packages.flatMap((p) => p.services ?? []);
    if (services.length > 0 && onPath('systemctl')) {
      await exec(['systemctl', 'disable', ...services]);
    }
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
}

/** Whether the policy is ours to remove; one that a killed run left behind is. */
function denyStarts(): boolean {
  if (existsSync(POLICY)) return readFileSync(POLICY, 'utf8') === POLICY_TEXT;
  writeFileSync(POLICY, POLICY_TEXT, { mode: 0o755 });
  return true;
}
