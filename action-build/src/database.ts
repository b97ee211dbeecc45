import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../../lib/process/run.ts';
import { databaseArgv } from './commands.ts';

/** Trivy's two databases. https://trivy.dev/docs/latest/configuration/db/ */
const PARTS = ['db', 'java-db'] as const;

const metadata = z.object({ NextUpdate: z.iso.datetime({ offset: true }) });

/**
 * Makes a cache folder for Trivy that holds its databases: copied from `given`, or downloaded
 * once for all scans of the run, from `mirror` where there is one.
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
  options: { env: NodeJS.ProcessEnv; signal: AbortSignal; cwd: string },
): Promise<void> {
  mkdirSync(cache, { recursive: true });
  if (source.given !== undefined) {
    for (const part of PARTS) copyPart(source.given, cache, part);
  } else {
    for (const part of PARTS) {
      const argv = databaseArgv(trivy, part, cache, source.mirror);
      await run(argv, { ...options, timeoutMs: 10 * 60_000 }).catch((cause: unknown) => {
        throw new Error(`Trivy's ${part} could not be downloaded: nothing can pass.`, { cause });
      });
    }
  }
  for (const part of PARTS) {
    const age = overdue(readFileSync(metadataOf(cache, part), 'utf8'), Date.now());
    if (age > source.grace) {
      throw new Error(
        `The vulnerability database (${part}) is too old: its successor was due ${Math.floor(age / 3_600_000)} hours ago. ` +
          "Update it, or raise 'trivy-database-grace'.",
      );
    }
  }
}

/** Milliseconds since the successor of a database was due; negative before that. */
export function overdue(metadataJson: string, now: number): number {
  return now - Date.parse(metadata.parse(JSON.parse(metadataJson)).NextUpdate);
}

function copyPart(given: string, cache: string, part: string): void {
  if (!existsSync(metadataOf(given, part))) {
    throw new Error(
      `No vulnerability database at ${join(given, part)}: without one nothing can pass. Check 'trivy-database'.`,
    );
  }
  cpSync(join(given, part), join(cache, part), { recursive: true });
}

function metadataOf(folder: string, part: string): string {
  return join(folder, part, 'metadata.json');
}
