import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../../lib/process/run.ts';
import { convertArgv } from './commands.ts';
import { isConfiguration } from './findings.ts';
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

const object = z.looseObject({}).optional();
const quoting = z.looseObject({ CauseMetadata: object, Layer: object });
const withConfiguration = z.looseObject({
  ArtifactName: z.string(),
  Metadata: z.looseObject({
    ImageConfig: z.looseObject({
      config: z.looseObject({ User: z.string().optional() }).optional(),
    }),
  }),
  Results: z
    .array(
      z.looseObject({
        Target: z.string(),
        Secrets: z.array(quoting).optional(),
        Misconfigurations: z.array(quoting).optional(),
      }),
    )
    .nullish(),
});

/**
 * Leaves of an image's configuration only its user in the report, which stays and is uploaded: Trivy masks a secret
 * where it tells of it, and has it in clear in the lines around that and in the configuration that it adds.
 */
export function removeConfiguration(file: string): void {
  const report = withConfiguration.parse(JSON.parse(readFileSync(file, 'utf8')));
  const { ImageConfig } = report.Metadata;
  delete ImageConfig.history;
  if (ImageConfig.config) ImageConfig.config = { User: ImageConfig.config.User };
  for (const { Target, Secrets, Misconfigurations } of report.Results ?? []) {
    for (const found of [...(Secrets ?? []), ...(Misconfigurations ?? [])]) {
      // A step of the history.
      delete found.Layer?.CreatedBy;
      if (!isConfiguration(Target, report)) continue;
      delete found.Code;
      delete found.Match;
      delete found.CauseMetadata?.Code;
    }
  }
  writeFileSync(file, JSON.stringify(report));
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
