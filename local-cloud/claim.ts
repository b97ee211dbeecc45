import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Instance } from './instance.ts';

export const checkout = resolve(import.meta.dirname, '..');

/** Where the project keeps what it downloads and builds. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return (
    env.COMPTA_CACHE ?? join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'compta')
  );
}

/** Numbers 0 to 15: the public side of an instance is a sixteenth of TEST-NET-3. */
const NUMBERS = Array.from({ length: 16 }, (_, i) => i);

/** The claims lie in one place for the whole machine, whatever cache folder a checkout uses. */
const CLAIMS = '/var/lock/compta';

/**
 * The instance of this checkout: the one it has, or the lowest number that is free.
 * A claim of a checkout that is gone from the disk is free again.
 *
 * @throws Error when sixteen checkouts have one each.
 */
export function claimInstance(directory = checkout): Instance {
  mkdirSync(CLAIMS, { recursive: true });
  const owned = ownedNumber(directory);
  const number = owned ?? NUMBERS.find((candidate) => claim(candidate, directory));
  if (number === undefined) {
    throw new Error(
      `All ${NUMBERS.length} local clouds are taken: run \`make down\` in another checkout.`,
    );
  }
  const stateDirectory = join(directory, '.local-cloud');
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  return { number, stateDirectory };
}

/** The instance of this checkout, if it has one. */
export function findInstance(directory = checkout): Instance | undefined {
  const number = ownedNumber(directory);
  if (number === undefined) return undefined;
  return { number, stateDirectory: join(directory, '.local-cloud') };
}

export function releaseInstance(instance: Instance): void {
  rmSync(claimFile(instance.number), { force: true });
  if (existsSync(CLAIMS) && readdirSync(CLAIMS).length === 0) rmSync(CLAIMS, { recursive: true });
}

function ownedNumber(directory: string): number | undefined {
  if (!existsSync(CLAIMS)) return undefined;
  return NUMBERS.find((number) => ownerOf(number) === directory);
}

function claim(number: number, directory: string): boolean {
  const owner = ownerOf(number);
  if (owner !== undefined && !existsSync(join(owner, '.local-cloud'))) rmSync(claimFile(number));
  try {
    writeFileSync(claimFile(number), directory, { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

function ownerOf(number: number): string | undefined {
  const file = claimFile(number);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function claimFile(number: number): string {
  return join(CLAIMS, String(number));
}
