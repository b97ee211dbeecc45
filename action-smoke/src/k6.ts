import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { CommandFailed, run } from '../../lib/process/run.ts';
import { type Check, endingOf } from './result.ts';

/** https://grafana.com/docs/k6/latest/testing-guides/automated-performance-testing/ and errext/exitcodes in its source. */
const MEANING: Record<number, string> = {
  97: 'the cloud test could not be run',
  100: 'setup() took too long',
  101: 'teardown() took too long',
  104: 'its options are not valid',
  107: 'the script threw an error',
  108: 'the script aborted the test',
  110: 'the script marked itself as failed',
};
const THRESHOLDS_CROSSED = 99;

export interface K6Context {
  k6: string;
  baseUrl: string;
  results: string;
  timeoutMs: number;
  env: NodeJS.ProcessEnv;
  cancelled: AbortSignal;
  onLine: (line: string) => void;
}

/** One check per threshold; a script without thresholds is one check by its exit code. */
export async function runK6(script: string, context: K6Context): Promise<Check[]> {
  const name = basename(script).replace(/\.[jt]s$/, '');
  mkdirSync(context.results, { recursive: true });
  const summary = join(context.results, `k6-${name}.json`);
  const started = Date.now();
  const argv = [context.k6, 'run', '--quiet', '--no-color', '--summary-export', summary, script];
  try {
    const { exitCode } = await run(argv, {
      env: { ...context.env, BASE_URL: context.baseUrl, K6_NO_USAGE_REPORT: 'true' },
      allowedExitCodes: [0, THRESHOLDS_CROSSED],
      timeoutMs: context.timeoutMs,
      signal: context.cancelled,
      onLine: context.onLine,
    });
    return outcomes(name, exitCode, readFileSync(summary, 'utf8'), Date.now() - started);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    const meaning = MEANING[error.exitCode ?? -1] ?? endingOf(error);
    return [check(name, false, Date.now() - started, meaning)];
  } finally {
    forgetSetup(summary);
  }
}

/** What setup() returned is a login as a rule: k6 puts it into its summary, and results are kept. */
function forgetSetup(summary: string): void {
  if (!existsSync(summary)) return;
  try {
    const { setup_data: _, ...rest } = JSON.parse(readFileSync(summary, 'utf8'));
    writeFileSync(summary, JSON.stringify(rest, null, 2));
  } catch {
    rmSync(summary); // of a k6 that was killed while it wrote
  }
}

/** What the summary says, unless k6 itself says worse: that one has another shape than is read here. */
export function outcomes(
  script: string,
  exitCode: number,
  summary: string,
  milliseconds: number,
): Check[] {
  const held = exitCode !== THRESHOLDS_CROSSED;
  const checks = thresholds(script, summary, milliseconds);
  if (checks.some(({ status }) => status === 'failed') || (held && checks.length > 0))
    return checks;
  const why = held ? 'the script has no thresholds' : 'k6 says that a threshold was crossed';
  return [...checks, check(script, held, milliseconds, why)];
}

const exported = z.object({
  metrics: z.record(
    z.string(),
    z.looseObject({
      thresholds: z
        .record(z.string(), z.union([z.boolean(), z.object({ ok: z.boolean() })]))
        .optional(),
    }),
  ),
});

/**
 * k6 has two shapes of summary: `{"ok": false}` for a crossed threshold, and a plain boolean
 * that is *true* when it was crossed (grafana/k6#1498). Both are read.
 */
export function thresholds(script: string, summary: string, milliseconds: number): Check[] {
  const { metrics } = exported.parse(JSON.parse(summary));
  return Object.entries(metrics).flatMap(([metric, values]) =>
    Object.entries(values.thresholds ?? {}).map(([expression, outcome]) => {
      const ok = typeof outcome === 'boolean' ? !outcome : outcome.ok;
      return check(`${script}: ${metric} ${expression}`, ok, milliseconds, measured(values));
    }),
  );
}

function measured(values: Record<string, unknown>): string {
  const shown = ['avg', 'p(95)', 'p(99)', 'max', 'rate', 'value', 'count'].flatMap((key) =>
    typeof values[key] === 'number' ? [`${key} ${rounded(values[key])}`] : [],
  );
  return shown.join(', ');
}

function rounded(value: number): string {
  return String(Number(value.toFixed(2)));
}

function check(name: string, ok: boolean, milliseconds: number, message: string): Check {
  return { probe: 'k6', name, status: ok ? 'passed' : 'failed', milliseconds, message };
}
