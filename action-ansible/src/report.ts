import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Runner } from '../../lib/runner/runner.ts';
import type { Played } from './attempts.ts';
import { recap, settled, type TaskResult } from './events.ts';
import type { Inputs } from './inputs.ts';
import { explained, failedTaskAnnotations } from './problems.ts';
import { summary, totals } from './summary.ts';

/** Outputs, annotations, summary and the file of events, none of which holds a secret. */
export function report(
  inputs: Inputs,
  played: Played,
  ok: boolean,
  milliseconds: number,
  runner: Runner,
): void {
  const results = settled(played.attempts).map((entry) => redacted(explained(entry), runner));
  const { directory, playbook, check } = inputs;
  setOutputs(inputs, results, runner);
  writeEvents(played, runner);
  const workspace = runner.env.GITHUB_WORKSPACE ?? directory;
  for (const { message, at } of failedTaskAnnotations(results, directory, workspace)) {
    runner.error(message, at);
  }
  runner.summary(summary({ playbook, check, results, ok, milliseconds }, directory));
}

/** Before anything is escaped for Markdown or JSON, where a secret would look different. */
function redacted(entry: TaskResult, runner: Runner): TaskResult {
  return { ...entry, task: runner.redact(entry.task), message: runner.redact(entry.message) };
}

function setOutputs({ check }: Inputs, results: readonly TaskResult[], runner: Runner): void {
  const hosts = recap(results);
  const { ok, changed, failed, unreachable } = totals(hosts);
  const failedTasks = results
    .filter(({ outcome }) => outcome === 'failed')
    .map(({ host, task, path, line, message }) => ({ host, task, path, line, message }));
  const outputs = {
    ok,
    changed,
    failed,
    unreachable,
    hosts: JSON.stringify(hosts),
    'failed-tasks': JSON.stringify(failedTasks),
    drift: check && changed > 0,
  };
  for (const [name, value] of Object.entries(outputs)) setOutput(name, value, runner);
}

/** A mutilated value is worse than none, and GitHub would drop a job's output for it anyway. */
function setOutput(name: string, value: string | number | boolean, runner: Runner): void {
  if (runner.redact(String(value)) === String(value)) runner.output(name, value);
  else runner.warning(`Output '${name}' is not set: it would contain a secret.`);
}

/** Every task of every attempt as JSON lines, to be uploaded or looked at later. */
function writeEvents({ attempts }: Played, runner: Runner): void {
  const lines = attempts.flatMap(({ results }, index) =>
    results.map((entry) => JSON.stringify({ attempt: index + 1, ...redacted(entry, runner) })),
  );
  const file = join(runner.temp, `ansible-events-${process.pid}.jsonl`);
  writeFileSync(file, `${runner.redact(lines.join('\n'))}\n`);
  setOutput('events-file', file, runner);
}
