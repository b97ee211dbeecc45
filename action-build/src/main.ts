import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailed, run as runProcess } from '../../lib/process/run.ts';
import type { Step } from '../../lib/runner/main.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { findTool } from '../../lib/tools/find.ts';
import { ensureBuilder } from './builder.ts';
import { buildArgv, type Labels, pushArgv } from './commands.ts';
import { countBySeverity, refusals } from './findings.ts';
import { type ImageSource, type Inputs, readInputs } from './inputs.ts';
import { digestOf } from './layout.ts';
import { inParallel } from './parallel.ts';
import { type RegistryLogin, writeLogin } from './registry-login.ts';
import { type ScanContext, scan, scannerEnvironment } from './scan.ts';
import { type BuiltImage, sentenceOf, summary } from './summary.ts';

export async function run({ runner, cancelled }: Step): Promise<void> {
  const inputs = readInputs(runner);
  const temp = mkdtempSync(join(runner.temp, 'compta-build-'));
  const reports = join(runner.temp, 'trivy-reports');
  mkdirSync(reports, { recursive: true });
  try {
    const trivy = await findTool({
      name: 'trivy',
      version: inputs.trivyVersion,
      mirror: inputs.toolMirror,
    });
    const login = writeLogin(inputs.login, inputs.registry, join(temp, 'docker'), runner.env);
    await ensureBuilder(login.env, runner, cancelled);
    const scanning: ScanContext = {
      trivy: join(trivy, 'trivy'),
      inputs,
      reports,
      temp,
      env: scannerEnvironment(runner.env),
      cancelled,
    };
    const layout = (image: ImageSource) => join(temp, 'layouts', image.name);
    const images = await inParallel(inputs.images, inputs.parallel, async (image) => {
      const started = Date.now();
      await build(image, layout(image), inputs, login, runner, cancelled);
      const findings = await scan(image.name, layout(image), scanning);
      return {
        name: image.name,
        digest: digestOf(layout(image)),
        findings,
        refusals: refusals(findings, inputs),
        milliseconds: Date.now() - started,
      };
    });
    const passed = images.every((image) => image.refusals.length === 0);
    const pushed = passed && inputs.push;
    if (pushed) {
      await inParallel(inputs.images, inputs.parallel, (image) =>
        push(image.name, layout(image), inputs, login.authFile, runner, cancelled),
      );
    }
    report(images, inputs, { pushed, passed, reports }, runner);
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}

async function build(
  image: ImageSource,
  layout: string,
  inputs: Inputs,
  login: RegistryLogin,
  runner: Runner,
  cancelled: AbortSignal,
): Promise<void> {
  mkdirSync(layout, { recursive: true });
  await runProcess(buildArgv(image, inputs, labelsOf(runner.env), layout), {
    env: { ...login.env, SOURCE_DATE_EPOCH: runner.env.SOURCE_DATE_EPOCH ?? '0' },
    signal: cancelled,
    onLine: (line) => runner.info(`${image.name} │ ${line}`),
  }).catch((cause: unknown) => {
    throw new Error(`${image.name} could not be built from ${image.context}.`, { cause });
  });
}

async function push(
  name: string,
  layout: string,
  inputs: Inputs,
  authFile: string | undefined,
  runner: Runner,
  cancelled: AbortSignal,
): Promise<void> {
  for (const tag of new Set([inputs.version, ...inputs.tags])) {
    const reference = `${inputs.registry}/${name}:${tag}`;
    await runProcess(pushArgv(layout, reference, authFile), {
      signal: cancelled,
      timeoutMs: 15 * 60_000,
    }).catch((cause: unknown) => {
      throw new Error(`${reference} could not be pushed${adviceOn(cause)}.`, { cause });
    });
    runner.info(`${name} │ pushed ${reference}`);
  }
}

function adviceOn(error: unknown): string {
  const refused = /unauthorized|authentication required|access to the resource is denied/i;
  return error instanceof CommandFailed && refused.test(error.stderr)
    ? ": the registry refused the login. Check 'username' and 'password'"
    : '';
}

/** Outputs and summary come before the failing throw, so that later steps can read them. */
function report(
  images: readonly BuiltImage[],
  inputs: Inputs,
  outcome: { pushed: boolean; passed: boolean; reports: string },
  runner: Runner,
): void {
  const described = images.map(({ name, digest, findings }) => [
    name,
    {
      reference: `${inputs.registry}/${name}@${digest}`,
      digest,
      tags: [inputs.version, ...inputs.tags],
      findings: countBySeverity(findings),
    },
  ]);
  runner.output('images', JSON.stringify(Object.fromEntries(described)));
  runner.output('passed', outcome.passed);
  runner.output('reports', outcome.reports);
  runner.summary(summary(images, outcome.pushed));
  if (outcome.passed) return;
  const why = images.flatMap(({ name, refusals: found }) =>
    found.slice(0, 5).map((finding) => `${name}: ${sentenceOf(finding)}`),
  );
  throw new Error(`The gate refused the images, and nothing was pushed:\n${why.join('\n')}`);
}

function labelsOf(env: NodeJS.ProcessEnv): Labels {
  const { GITHUB_SERVER_URL = 'https://github.com', GITHUB_REPOSITORY = '' } = env;
  const seconds = Number(env.SOURCE_DATE_EPOCH ?? 0);
  return {
    revision: env.GITHUB_SHA ?? '',
    source: `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`,
    created: new Date(seconds * 1000).toISOString(),
  };
}
