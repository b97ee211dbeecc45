import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Build } from './build.ts';

/** The part of a package-lock.json that tells what is to be installed: folder → package. */
export interface Lock {
  packages: Record<string, { version?: string; integrity?: string; optional?: boolean }>;
}

/** Whether what npm wrote after its last installation is what the lock file asks for. */
export function isInstalled(wanted: Lock, installed: Lock): boolean {
  return Object.entries(wanted.packages).every(([folder, { version, integrity, optional }]) => {
    if (folder === '') return true;
    const found = installed.packages[folder];
    // Packages for other platforms are left out.
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}

/** Whether node_modules is what package-lock.json says. */
export function isProjectCurrent(checkout: string): boolean {
  const installed = join(checkout, 'node_modules', '.package-lock.json');
  if (!existsSync(installed)) return false;
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Lock;
  return isInstalled(read(join(checkout, 'package-lock.json')), read(installed));
}

/** @throws CommandFailed from npm. */
export async function installProject(checkout: string, exec: Build['exec']): Promise<void> {
  await exec(['npm', 'ci', '--no-audit', '--no-fund'], { cwd: checkout });
}
