import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { convertArgv } from './commands.ts';
import { inParallel } from './parallel.ts';

/** Where everything that comes out of one scan is kept, each kind in the form its readers take. */
export interface ReportFolders {
  /** Trivy's JSON: the whole of what was found. */
  json: string;
  /** For `github/codeql-action/upload-sarif`. */
  sarif: string;
  /** CycloneDX (`.cdx.json`) and SPDX (`.spdx.json`). */
  sboms: string;
}

export function makeReportFolders(folder: string): ReportFolders {
  const folders = { json: folder, sarif: join(folder, 'sarif'), sboms: join(folder, 'sboms') };
  for (const path of Object.values(folders)) mkdirSync(path, { recursive: true });
  return folders;
}

export function spdxOf(folders: ReportFolders, slug: string): string {
  return join(folders.sboms, `${slug}.spdx.json`);
}

/** Writes the other forms out of one scan's JSON; nothing is looked at again. */
export async function convertReport(
  trivy: string,
  slug: string,
  folders: ReportFolders,
  options: { env: NodeJS.ProcessEnv; signal: AbortSignal; cwd: string },
): Promise<void> {
  const forms = [
    ['sarif', join(folders.sarif, `${slug}.sarif`)],
    ['cyclonedx', join(folders.sboms, `${slug}.cdx.json`)],
    ['spdx-json', spdxOf(folders, slug)],
  ] as const;
  const report = join(folders.json, `${slug}.json`);
  await inParallel(forms, forms.length, ([format, output]) =>
    run(convertArgv(trivy, format, output, report), options),
  );
}
