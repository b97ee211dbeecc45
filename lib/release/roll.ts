import { applyEdge, validateEdge } from './edge.ts';
import type { Host } from './host.ts';
import { journalFile } from './layout.ts';
import type { Manifest } from './manifest.ts';
import { type HostPlan, planHost, type Step } from './plan.ts';
import { type Patience, perform } from './swap.ts';

/** What happened to one service on one host; the rows and bars of the report. */
export interface Row {
  host: string;
  service: string;
  from: string;
  to: string;
  /** Milliseconds since the epoch. */
  start: number;
  end: number;
  outcome: 'swapped' | 'unchanged' | 'failed' | 'rolled-back';
}

export interface RollOptions extends Patience {
  /** Hosts at a time. */
  batch: number;
  /** Milliseconds that the load balancer needs to notice a host that goes out of rotation. */
  edgeDrain: number;
  say: (line: string) => void;
  /** Fires when the job is cancelled or the lease is lost: the next step is not begun. */
  stop: AbortSignal;
}

/** Brings one host to a release whose files lie there already. */
export interface HostTarget {
  host: Host;
  target: Manifest;
  current: Manifest | undefined;
}

/**
 * Host after host, `batch` at a time; within a host, service after service.
 * @param rows receives what was done, also when it throws.
 * @param outcome what a finished row is called.
 */
export async function rollHosts(
  targets: readonly HostTarget[],
  rows: Row[],
  options: RollOptions,
  outcome: 'swapped' | 'rolled-back' = 'swapped',
): Promise<void> {
  for (let first = 0; first < targets.length; first += options.batch) {
    const batch = targets.slice(first, first + options.batch);
    const results = await Promise.allSettled(
      batch.map((target) => rollHost(target, rows, options, outcome)),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

async function rollHost(
  { host, target, current }: HostTarget,
  rows: Row[],
  options: RollOptions,
  outcome: 'swapped' | 'rolled-back',
): Promise<void> {
  const plan = planHost(await host.state(), target, current);
  if (plan.edge !== 'keep') await rollEdge(host, target, plan, rows, options, outcome);
  for (const service of plan.services) {
    const { from, to } = service;
    const row: Row = { host: host.name, service: service.service, from, to, ...now(), outcome };
    rows.push(row);
    if (service.steps.length === 0) {
      row.outcome = 'unchanged';
      continue;
    }
    row.outcome = 'failed';
    for (const step of service.steps) {
      options.stop.throwIfAborted();
      await journal(host, target.release, describe(step));
      options.say(`${host.name}  ${describe(step)}`);
      try {
        await perform(host, step, target.release, options, (line) =>
          options.say(`${host.name}  ${line}`),
        );
      } finally {
        row.end = Date.now();
      }
    }
    row.outcome = outcome;
  }
}

async function rollEdge(
  host: Host,
  target: Manifest,
  plan: HostPlan,
  rows: Row[],
  options: RollOptions,
  outcome: 'swapped' | 'rolled-back',
): Promise<void> {
  if (plan.edge === 'keep') return;
  options.stop.throwIfAborted();
  const to = target.edge.config;
  const row: Row = { host: host.name, service: 'caddy', from: '', to, ...now(), outcome: 'failed' };
  rows.push(row);
  options.say(`${host.name}  ${plan.edge} caddy`);
  await journal(host, target.release, `${plan.edge} caddy`);
  try {
    await validateEdge(host, target);
    await applyEdge(host, target, plan.edge, options.edgeDrain, options.say);
    row.outcome = outcome;
  } finally {
    row.end = Date.now();
  }
}

function now(): { start: number; end: number } {
  return { start: Date.now(), end: Date.now() };
}

function describe(step: Step): string {
  const what = {
    start: 'start',
    prove: 'wait until healthy, prove its readiness contract, bring into rotation',
    settle: 'wait until healthy, bring into rotation',
    retire: 'take out of rotation, drain and end',
  }[step.kind];
  return `${what} ${step.service}-${step.slot}`;
}

/** Says on the host what is going on there, for whoever finds it after a crash. */
export async function journal(host: Host, release: string, step: string): Promise<void> {
  const entry = { release, step, at: new Date().toISOString(), token: host.token };
  await host.change(['sh', '-c', 'cat >"$1"', 'journal', journalFile], {
    input: `${JSON.stringify(entry)}\n`,
  });
}
