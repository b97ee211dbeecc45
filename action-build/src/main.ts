import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from '../../lib/runner/main.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { findTool } from '../../lib/tools/find.ts';
import { analysisFile, openAnalysis, settleAnalysis } from './analysis.ts';
import { type BuildContext, saveToRegistryCache } from './build.ts';
import { orWarn } from './build-cache.ts';
import { ensureBuilder } from './builder.ts';
import { dueOf, prepareDatabase } from './database.ts';
import { countBySeverity, type Finding } from './findings.ts';
import { judge, type Verdicts } from './gate.ts';
import { type Acceptance, readIgnoreFile } from './ignore-file.ts';
import { type Inputs, readInputs } from './inputs.ts';
import { digestOf, isWhole, versionOf } from './layout.ts';
import { make } from './make.ts';
import { inParallel, oneAtATime } from './parallel.ts';
import { type PushContext, push } from './push.ts';
import { type DockerLogin, writeLogin } from './registry-login.ts';
import { keepReleased } from './released.ts';
import { makeReportFolders, type ReportFolders } from './reports.ts';
import { openHome, type ScanContext, scan, scannerEnvironment } from './scan.ts';
import { prepareSigner } from './sign.ts';
import { sentenceOf, summary } from './summary.ts';
import { take } from './take.ts';

export async function run({ runner, cancelled }: Step): Promise<void> {
  const inputs = readInputs(runner);
  // Until it is known otherwise.
  runner.output('passed', false);
  const acceptances = acceptancesOf(inputs.ignoreFile);
  const temp = mkdtempSync(join(runner.temp, 'compta-build-'));
  // Always the same path for GitHub's cache, which finds a folder by it; what was left there is not Trivy's.
  const databases = join(inputs.trivyDatabase === undefined ? runner.temp : temp, 'compta-trivy');
  rmSync(databases, { recursive: true, force: true });
  try {
    const reports = makeReportFolders(mkdtempSync(join(runner.temp, 'trivy-reports-')));
    const scanning = await prepareScanner(
      inputs,
      reports,
      { temp, cache: databases },
      runner,
      cancelled,
    );
    const login = writeLogin(inputs.login, inputs.registry, join(temp, 'docker'), runner.env);
    const signer = await prepareSigner(inputs, login.env, cancelled);
    const env = await ensureBuilder(login.env, runner, cancelled);
    const building = buildContext(inputs, { ...login, env }, temp, runner, cancelled);
    const layout = ({ name }: { name: string }) => join(temp, 'layouts', name);
    const scanned = await inParallel(inputs.images, inputs.parallel, async (image) => {
      const started = Date.now();
      const made = await make(image, layout(image), building);
      const findings = await scanWhole(image.name, layout(image), scanning, building);
      const digest = digestOf(layout(image));
      const version = versionOf(layout(image));
      const milliseconds = Date.now() - started;
      return { image, name: image.name, digest, version, findings, ...made, milliseconds };
    });
    await keepAnalysis(scanning, inputs, runner);
    const today = new Date().toISOString().slice(0, 10);
    const verdicts = judge(scanned, { ...inputs, acceptances }, today);
    const pushed: string[] = [];
    try {
      if (!verdicts.passed || !inputs.push) return;
      const pushing: PushContext = { ...building, reports, signer };
      await inParallel(scanned, inputs.parallel, async ({ image, name, digest, ...made }) => {
        const former = 'from' in image ? image.from : inputs.unchangedFrom;
        await push(name, layout(image), made.unchanged ? former : undefined, pushing);
        pushed.push(name);
        await orWarn(runner, async () => {
          const { madeOf } = made;
          if (madeOf) keepReleased(inputs.cache, name, { ...madeOf, digest });
          const isRegistry = inputs.cache.kind === 'registry';
          if (isRegistry && !('from' in image)) await saveToRegistryCache(image, building);
        });
      });
    } finally {
      // Also of a push that failed: what is out is out.
      report(verdicts, inputs, { pushed, reports, publicKey: signer?.publicKey }, runner);
    }
  } finally {
    for (const folder of [temp, databases]) rmSync(folder, { recursive: true, force: true });
  }
}

/** An unchanged image is brought here whole only when Trivy does not know its layers. */
async function scanWhole(
  name: string,
  layout: string,
  scanning: ScanContext,
  { inputs, authFile, runner, cancelled }: BuildContext,
): Promise<Finding[]> {
  try {
    return await scan(name, layout, scanning);
  } catch (error) {
    if (isWhole(layout)) throw error;
    runner.info(`${name} │ Trivy does not know its layers: fetching them`);
  }
  const reference = `${inputs.registry}/${name}@${digestOf(layout)}`;
  rmSync(layout, { recursive: true });
  await take(reference, layout, authFile, cancelled);
  return scan(name, layout, scanning);
}

/**
 * Not of images that others may have pushed, as Trivy takes a layer for the one that the image's configuration
 * says it is; nor of what it has read in part.
 */
async function keepAnalysis(
  { analysis, cache, readInPart }: ScanContext,
  { images }: Inputs,
  runner: Runner,
): Promise<void> {
  for (const [slug, told] of readInPart) {
    runner.warning(
      `Trivy could not read all of ${slug}, and what it did not read it cannot judge: ${told}`,
    );
  }
  if (readInPart.size > 0 || images.some((image) => 'from' in image)) return;
  await orWarn(runner, () => settleAnalysis(analysis, cache));
}

function acceptancesOf(file: string | undefined): Acceptance[] {
  return file === undefined ? [] : readIgnoreFile(readFileSync(file, 'utf8'), file);
}

/** Before any login is written: the scanner has no business with it. */
async function prepareScanner(
  inputs: Inputs,
  reports: ReportFolders,
  { temp, cache }: { temp: string; cache: string },
  runner: Runner,
  cancelled: AbortSignal,
): Promise<ScanContext> {
  const { trivyVersion: version, toolMirror: mirror } = inputs;
  const trivy = join(await findTool({ name: 'trivy', version, mirror, cancelled }), 'trivy');
  const home = join(temp, 'scanner-home');
  openHome(home);
  const env = scannerEnvironment(runner.env, home);
  await prepareDatabase(
    trivy,
    { given: inputs.trivyDatabase, mirror: inputs.databaseMirror, grace: inputs.databaseGrace },
    cache,
    { env, signal: cancelled, cwd: home },
  );
  const analysis = analysisFile(inputs.cache, version, dueOf(cache, 'java-db'));
  openAnalysis(analysis, cache);
  const { platforms } = inputs;
  const turn = oneAtATime();
  const readInPart = new Map<string, string>();
  return {
    trivy,
    platforms,
    reports,
    cache,
    analysis,
    readInPart,
    turn,
    temp,
    home,
    env,
    cancelled,
  };
}

function buildContext(
  inputs: Inputs,
  { env: withLogin, authFile }: DockerLogin,
  temp: string,
  runner: Runner,
  cancelled: AbortSignal,
): BuildContext {
  const env = { ...withLogin, SOURCE_DATE_EPOCH: String(inputs.epoch) };
  return { inputs, authFile, temp, env, runner, cancelled };
}

interface Report {
  /** Names of the images. */
  pushed: readonly string[];
  reports: ReportFolders;
  /** Of what the images are signed with. */
  publicKey: string | undefined;
}

/** Outputs and summary come before the failing throw, so that later steps can read them. */
function report(
  verdicts: Verdicts,
  inputs: Inputs,
  { pushed, reports, publicKey }: Report,
  runner: Runner,
): void {
  const described = verdicts.images.map(({ name, digest, version, findings, unchanged }) => [
    name,
    {
      reference: `${inputs.registry}/${name}@${digest}`,
      digest,
      version,
      tags: [...new Set([inputs.version, ...inputs.tags])],
      findings: countBySeverity(findings),
      unchanged,
      pushed: pushed.includes(name),
    },
  ]);
  runner.output('images', JSON.stringify(Object.fromEntries(described)));
  runner.output('passed', verdicts.passed);
  runner.output('reports', reports.json);
  runner.output('sarif', reports.sarif);
  runner.output('sboms', reports.sboms);
  runner.summary(summary(verdicts, inputs.push ? pushed : undefined, publicKey));
  for (const { id, lastDay } of verdicts.care.expired) {
    runner.warning(`The entry for ${id} in 'ignore-file' has expired (last day ${lastDay}).`);
  }
  for (const { id } of verdicts.care.unused) {
    runner.warning(`The entry for ${id} in 'ignore-file' is not needed any more: remove it.`);
  }
  if (verdicts.passed) return;
  const why = verdicts.images.flatMap(({ name, refusals }) =>
    refusals.slice(0, 5).map((finding) => `${name}: ${sentenceOf(finding)}`),
  );
  throw new Error(`The gate refused the images, and nothing was pushed:\n${why.join('\n')}`);
}
