import { randomUUID } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type BuildCache, besideLayers, removeAbandoned } from './build-cache.ts';

/**
 * The file that keeps between runs what Trivy found in each layer, before it knows what of that is a
 * finding: no layer is looked at twice. Trivy tells jars by its Java index while it looks, so what it found
 * with an older one, or as another version, is worth nothing.
 *
 * @param due when the index's successor is, which tells one from another
 * @returns undefined without a folder for it
 */
export function analysisFile(cache: BuildCache, trivy: string, due: Date): string | undefined {
  return besideLayers(cache, '.trivy', `${trivy}-${due.getTime()}.db`);
}

/** Gives a cache folder of Trivy's what is known. */
export function openAnalysis(kept: string | undefined, trivyCache: string): void {
  if (kept === undefined || !existsSync(kept)) return;
  mkdirSync(dirname(used(trivyCache)), { recursive: true });
  copyFileSync(kept, used(trivyCache));
}

/** Keeps what is known now. What is a day old and not that is of another index or version, or of a killed run. */
export function settleAnalysis(kept: string | undefined, trivyCache: string): void {
  if (kept === undefined || !existsSync(used(trivyCache))) return;
  const folder = dirname(kept);
  mkdirSync(folder, { recursive: true });
  const next = join(folder, randomUUID());
  writeFileSync(next, readFileSync(used(trivyCache)), { flush: true });
  renameSync(next, kept);
  removeAbandoned(folder, (name) => name !== basename(kept));
}

const used = (trivyCache: string): string => join(trivyCache, 'fanal', 'fanal.db');
