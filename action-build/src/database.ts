import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../../lib/process/run.ts';
import { githubCache } from '../../lib/runner/cache.ts';
import { databaseArgv } from './commands.ts';

/** Trivy's two databases, and what is in them. https://trivy.dev/docs/latest/configuration/db/ */
const CONTENT = {
  db: ['metadata.json', 'trivy.db'],
  // Without its index Trivy takes a jar that does not tell its name for a harmless file, silently.
  'java-db': ['metadata.json', 'trivy-java.db'],
} as const;
type Part = keyof typeof CONTENT;
export const PARTS = ['db', 'java-db'] as const satisfies Part[];

const metadata = z.object({ NextUpdate: z.iso.datetime({ offset: true }) });

/**
 * Makes a cache folder for Trivy that holds its databases: copied from `given`, or downloaded
 * once a day, from `mirror` where there is one.
 *
 * Trivy itself never judges the age of a database that it is told not to update, so that is
 * done here.
 *
 * @param grace milliseconds for which a database may be used after its successor was due
 * @throws Error when there is no database or it is too old: without one nothing can pass
 */
export async function prepareDatabase(
  trivy: string,
  source: { given: string | undefined; mirror: string | undefined; grace: number },
  cache: string,
  options: Options,
): Promise<void> {
  mkdirSync(cache, { recursive: true });
  for (const part of PARTS) {
    if (source.given !== undefined) copyPart(source.given, cache, part);
    else await fetchPart(trivy, part, source.mirror, cache, options);
    if (!isWhole(join(cache, part), part)) {
      throw new Error(`Trivy's ${part} came in part: nothing can pass. Run this job again.`);
    }
    const age = Date.now() - dueOf(cache, part).getTime();
    if (age > source.grace) {
      throw new Error(
        `The vulnerability database (${part}) is too old: its successor was due ${Math.floor(age / 3_600_000)} hours ago. ` +
          "Update it, or raise 'trivy-database-grace'.",
      );
    }
  }
}

interface Options {
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  cwd: string;
}

/**
 * What the first job of a day has downloaded serves the others, out of GitHub's cache; Trivy fetches it
 * anew all the same once its successor is due.
 */
async function fetchPart(
  trivy: string,
  part: Part,
  mirror: string | undefined,
  cache: string,
  options: Options,
): Promise<void> {
  const kept = githubCache();
  const key = keyOf(part, mirror, new Date());
  const folder = join(cache, part);
  const restored = (await kept.restore(key, [folder])) && isWhole(folder, part);
  // Of what broke off on the way Trivy would take the half for the whole.
  if (!restored) rmSync(folder, { recursive: true, force: true });
  const argv = databaseArgv(trivy, part, cache, mirror);
  await run(argv, { ...options, timeoutMs: 10 * 60_000 }).catch((cause: unknown) => {
    throw new Error(`Trivy's ${part} could not be downloaded: nothing can pass.`, { cause });
  });
  if (!restored && isWhole(folder, part)) await kept.save(key, [folder]);
}

/** One for each source: who names another mirror wants that one's. */
function keyOf(part: Part, mirror = '', today: Date): string {
  const from = createHash('sha256').update(mirror).digest('hex').slice(0, 16);
  return `compta-trivy-${part}-${from}-${today.toISOString().slice(0, 10)}`;
}

/** When the successor of a database in Trivy's cache folder is due. */
export function dueOf(cache: string, part: Part): Date {
  return new Date(
    metadata.parse(JSON.parse(readFileSync(metadataOf(cache, part), 'utf8'))).NextUpdate,
  );
}

function copyPart(given: string, cache: string, part: Part): void {
  if (!isWhole(join(given, part), part)) {
    throw new Error(
      `No vulnerability database at ${join(given, part)}: without one nothing can pass. Check 'trivy-database'.`,
    );
  }
  cpSync(join(given, part), join(cache, part), { recursive: true });
}

function isWhole(folder: string, part: Part): boolean {
  return CONTENT[part].every((file) => existsSync(join(folder, file)));
}

function metadataOf(folder: string, part: Part): string {
  return join(folder, part, 'metadata.json');
}
