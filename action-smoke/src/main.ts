import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { githubArtifacts } from '../../lib/runner/artifacts.ts';
import { messageOf, type Step } from '../../lib/runner/main.ts';
import type { Runner } from '../../lib/runner/runner.ts';
import { findTool } from '../../lib/tools/find.ts';
import { awaitVersion, checkHttp } from './http.ts';
import { type Inputs, readInputs } from './inputs.ts';
import { runK6 } from './k6.ts';
import { runPlaywright } from './playwright.ts';
import { junit, summary } from './report.ts';
import { type Check, failedProbes, passed } from './result.ts';

export async function run(step: Step): Promise<void> {
  const { runner } = step;
  const inputs = readInputs(runner);
  mkdirSync(inputs.resultsPath, { recursive: true });
  const checks = await probe(inputs, step);
  const ok = passed(checks, inputs.failOnFlaky);

  const resultsFile = join(inputs.resultsPath, 'results.json');
  const junitFile = join(inputs.resultsPath, 'junit.xml');
  writeFileSync(resultsFile, runner.redact(JSON.stringify({ passed: ok, checks }, null, 2)));
  writeFileSync(junitFile, runner.redact(junit(checks, inputs.failOnFlaky)));
  runner.output('passed', ok);
  runner.output('failed', failedProbes(checks, inputs.failOnFlaky).join(','));
  runner.output('results-file', resultsFile);
  runner.output('junit-file', junitFile);
  runner.summary(summary(checks, ok, inputs.baseUrl));
  if (inputs.artifact) await uploaded(inputs.artifact, inputs.resultsPath, runner);
  if (ok) return;
  const failed = checks.filter((check) => check.status === 'failed' || check.status === 'flaky');
  throw new Error(
    failed.length > 0
      ? failed.map((check) => `${check.probe}: ${check.name}: ${check.message}`).join('\n')
      : 'Nothing was tested: give http, k6, playwright or expected-version.',
  );
}

/** A full store of artifacts says nothing of the release, which would be rolled back for it. */
async function uploaded(artifact: string, folder: string, runner: Runner): Promise<void> {
  try {
    const artifacts = githubArtifacts();
    await artifacts.remove(artifact);
    await artifacts.upload(artifact, folder);
  } catch (error) {
    runner.warning(`The results could not be uploaded as ${artifact}: ${messageOf(error)}`);
  }
}

/** The old version answering makes every further result worthless, so that ends the probing. */
async function probe(inputs: Inputs, { runner, cancelled }: Step): Promise<Check[]> {
  const { baseUrl, timeoutMs, resultsPath: results } = inputs;
  // What is missing is said before anything is tested, and what was tested is not lost for it.
  const k6 = inputs.k6Scripts.length > 0 ? await findK6(inputs) : '';
  const checks: Check[] = [];
  if (inputs.expectedVersion !== undefined) {
    runner.info(`Waiting for ${inputs.expectedVersion} at ${baseUrl}${inputs.versionPath}`);
    checks.push(
      await awaitVersion(baseUrl, inputs.versionPath, inputs.expectedVersion, timeoutMs, cancelled),
    );
    if (!passed(checks, true)) return checks;
  }
  checks.push(...(await Promise.all(inputs.http.map((check) => checkHttp(baseUrl, check)))));

  const shared = { baseUrl, results, timeoutMs, cancelled, env: stepEnvironment(runner.env) };
  const show = (line: string) => runner.info(line);
  if (inputs.playwright !== undefined) {
    const { browser, expectedVersion } = inputs;
    checks.push(
      ...(await runPlaywright(inputs.playwright, {
        ...shared,
        browser,
        expectedVersion,
        onLine: show,
      })),
    );
  }
  for (const script of inputs.k6Scripts) {
    checks.push(...(await runK6(script, { ...shared, k6, onLine: show })));
  }
  return checks;
}

async function findK6({ k6Version: version, toolMirror: mirror }: Inputs): Promise<string> {
  return join(await findTool({ name: 'k6', version, mirror }), 'k6');
}

/**
 * What a step with `run` would have: without inputs, and without the token by which an action writes
 * the run's caches and artifacts. Browser tests bring packages of others along.
 */
function stepEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = /^(INPUT_|STATE_|ACTIONS_)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !own.test(name)));
}
