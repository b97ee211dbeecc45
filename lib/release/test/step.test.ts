import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import type { Runner } from '../../runner/runner.ts';
import type { Outcome } from '../bring.ts';
import { LeaseLostError } from '../host.ts';
import { conclude, concluded } from '../step.ts';

const temp = mkdtempSync(join(tmpdir(), 'compta-step-'));
afterAll(() => rmSync(temp, { recursive: true }));

/** What a step put out, and how it ended. */
async function ended(body: (runner: Runner) => Promise<void>, cancelled = false) {
  const outputs: Record<string, unknown> = {};
  let summary = '';
  const runner = {
    temp,
    redact: (text: string) => text.replaceAll('swordfish', '***'),
    output: (name: string, value: unknown) => {
      outputs[name] = value;
    },
    summary: (text: string) => {
      summary += text;
    },
  } as unknown as Runner;
  const signal = cancelled ? AbortSignal.abort() : new AbortController().signal;
  const release = { action: 'Deploy', environment: 'staging', version: '1.1.0' };
  const error = await concluded({ runner, cancelled: signal }, release, () => body(runner)).then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { outputs, summary, error };
}

test('a release that is refused says so in outputs and summary, and the step fails', async () => {
  const refusal = new Error('app-2 has no curl; install it.', { cause: new Error('code 63') });
  expect(await ended(() => Promise.reject(refusal))).toEqual({
    outputs: { status: 'failed', version: '1.1.0' },
    summary:
      '### ❌ staging: deploy of 1.1.0 was refused; nothing was swapped\n\n' +
      '```\napp-2 has no curl; install it.\nCaused by: code 63\n```',
    error: 'app-2 has no curl; install it.',
  });
});

test.each([
  ['its job was cancelled', new Error('The job was cancelled (SIGINT).'), true],
  ['its lease was taken over', new LeaseLostError('The lease was taken over.'), false],
])('one that ends as %s is not called refused', async (_why, error, cancelled) => {
  const { outputs, summary } = await ended(() => Promise.reject(error), cancelled);
  expect(outputs).toEqual({ status: 'failed', version: '1.1.0' });
  expect(summary).toContain(
    '### 🚫 staging: deploy of 1.1.0 was stopped; what is there is whole, and the next run takes it up',
  );
  expect(summary).toContain(error.message);
});

test('one that was carried out and failed has its own outcome alone', async () => {
  const outcome = { version: '1.1.0', rows: [], status: 'rolled-back', problem: 'No.' } as unknown;
  const { outputs, summary, error } = await ended(async (runner) =>
    conclude(runner, 'Deploy', 'staging', [], outcome as Outcome),
  );
  expect(outputs).toMatchObject({ status: 'rolled-back', maintenance: 'false' });
  expect(summary.match(/###/g)).toHaveLength(1);
  expect(error).toBe('Deploy of 1.1.0 failed. No. Everything was rolled back.');
});
