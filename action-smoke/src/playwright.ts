import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandFailed, run } from '../../lib/process/run.ts';
import { type Check, endingOf } from './result.ts';

export interface PlaywrightContext {
  baseUrl: string;
  browser: string | undefined;
  expectedVersion: string | undefined;
  results: string;
  timeoutMs: number;
  env: NodeJS.ProcessEnv;
  cancelled: AbortSignal;
  onLine: (line: string) => void;
}

/**
 * Runs the Playwright of the folder's own packages, so that the tests decide its version.
 * What counts is what the JSON report says of each test, unless Playwright itself says worse.
 */
export async function runPlaywright(folder: string, context: PlaywrightContext): Promise<Check[]> {
  const report = join(context.results, 'playwright.json');
  const output = join(context.results, 'playwright');
  rmSync(report, { force: true }); // an earlier run's would prove nothing
  const started = Date.now();
  try {
    const failure = await playwright(folder, report, output, context);
    const isWritten = existsSync(report);
    const checks = isWritten ? testsOf(readFileSync(report, 'utf8')) : [];
    const isTold = failure?.exitCode === 1 && checks.some(({ status }) => status === 'failed');
    if (isTold || (failure === undefined && checks.length > 0)) return checks;
    const messages = [
      ...(isWritten
        ? []
        : [`Playwright wrote no report: look above for what is wrong in ${folder}.`]),
      failure ? endingOf(failure) : `Playwright found no test in ${folder}.`,
    ];
    return [...checks, outside(messages.join('\n'), Date.now() - started)];
  } finally {
    keepPictures(report, output);
  }
}

const PICTURE = /\.(png|jpe?g|webm)$/;

/**
 * Its report has the settings and what each call was doing, and beside a failure lies what stood in the
 * fields (error-context.md): passwords too, and results are kept.
 */
function keepPictures(report: string, output: string): void {
  rmSync(report, { force: true });
  if (!existsSync(output)) return;
  for (const entry of readdirSync(output, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory() || PICTURE.test(entry.name)) continue;
    rmSync(join(entry.parentPath, entry.name));
  }
}

/** @returns how it ended, unless by itself and well. */
async function playwright(
  folder: string,
  report: string,
  output: string,
  context: PlaywrightContext,
): Promise<CommandFailed | undefined> {
  const ended = run(
    // A trace holds what was typed and sent, passwords and tokens too, and results are kept.
    [
      ...['npx', '--no-install', 'playwright', 'test'],
      ...['--reporter=list,json', '--output', output, '--trace=off'],
    ],
    {
      cwd: folder,
      env: {
        ...context.env,
        BASE_URL: context.baseUrl,
        SMOKE_BROWSER: context.browser ?? '',
        EXPECTED_VERSION: context.expectedVersion ?? '',
        PLAYWRIGHT_JSON_OUTPUT_FILE: report,
        CI: 'true',
      },
      timeoutMs: context.timeoutMs,
      signal: context.cancelled,
      onLine: context.onLine,
    },
  );
  return ended.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof CommandFailed) return error;
      throw error;
    },
  );
}

const result = z.looseObject({
  duration: z.number(),
  error: z.looseObject({ message: z.string().optional() }).optional(),
});
const spec = z.object({
  title: z.string(),
  tests: z.array(
    z.object({
      status: z.enum(['expected', 'unexpected', 'flaky', 'skipped']),
      results: z.array(result),
    }),
  ),
});
interface Suite {
  specs: z.infer<typeof spec>[];
  suites?: Suite[] | undefined;
}
const suite: z.ZodType<Suite> = z.lazy(() =>
  z.object({ specs: z.array(spec), suites: z.array(suite).optional() }),
);
const jsonReport = z.object({
  suites: z.array(suite),
  /** What failed outside of any test: a file that does not load, a global set-up. */
  errors: z.array(z.looseObject({ message: z.string().default('') })).default([]),
});

const STATUS = {
  expected: 'passed',
  unexpected: 'failed',
  flaky: 'flaky',
  skipped: 'skipped',
} as const;

export function testsOf(report: string): Check[] {
  const { suites, errors } = jsonReport.parse(JSON.parse(report));
  const tests = suites.flatMap(specsOf).flatMap(({ title, tests }) =>
    tests.map((test): Check => {
      const error = test.results.findLast(({ error }) => error)?.error?.message ?? '';
      return {
        probe: 'playwright',
        name: title,
        status: STATUS[test.status],
        milliseconds: test.results.reduce((sum, { duration }) => sum + duration, 0),
        message: test.status === 'expected' ? '' : firstLine(error),
      };
    }),
  );
  return [...errors.map(({ message }) => outside(firstLine(message), 0)), ...tests];
}

function outside(message: string, milliseconds: number): Check {
  const name = 'outside of the tests';
  return { probe: 'playwright', name, status: 'failed', milliseconds, message };
}

function specsOf(parent: Suite): Suite['specs'] {
  return [...parent.specs, ...(parent.suites ?? []).flatMap(specsOf)];
}

/** Playwright's messages carry colours even in its JSON. */
function firstLine(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what an escape sequence starts with
  return message.replaceAll(/\u001b\[[0-9;]*m/g, '').split('\n')[0] ?? '';
}
