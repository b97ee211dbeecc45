import { applyEdge, validateEdge } from './edge.ts';
import type { Host } from './host.ts';
import { caddy, journalFile } from './layout.ts';
import type { Manifest } from './manifest.ts';
import { describe, type HostPlan, planHost, type ServicePlan } from './plan.ts';
import { note, step, type Tell } from './progress.ts';
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
  tell: Tell;
  /** Fires when the job is cancelled or the lease is lost: the next step is not begun. */
  stop: AbortSignal;
}

/** Brings one host to a release whose files lie there already. */
export interface HostTarget {
  host: Host;
  target: Manifest;
  current: Manifest | undefined;
}

type Done = 'swapped' | 'rolled-back';

/**
 * Host after host, `batch` at a time; within a host, service after service.
 * @param rows receives what was done, also when it throws.
 * @param outcome what a finished row is called.
 */
export async function rollHosts(
  targets: readonly HostTarget[],
  rows: Row[],
  options: RollOptions,
  outcome: Done = 'swapped',
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
  target: HostTarget,
  rows: Row[],
  options: RollOptions,
  outcome: Done,
): Promise<void> {
  const { host } = target;
  const plan = planHost(await host.state(), target.target, target.current);
  await rollEdge(target, plan, rows, options, outcome);
  for (const service of plan.services) {
    const { from, to } = service;
    const row: Row = { host: host.name, service: service.service, from, to, ...now(), outcome };
    rows.push(row);
    if (service.steps.length === 0) row.outcome = 'unchanged';
    else await rollService(target, service, row, options, outcome);
  }
  // Whatever took it out: now it serves what the others serve.
  await host.change(['rm', '-f', caddy.outOfRotation]);
}

async function rollService(
  { host, target }: HostTarget,
  { steps }: ServicePlan,
  row: Row,
  options: RollOptions,
  outcome: Done,
): Promise<void> {
  row.outcome = 'failed';
  for (const next of steps) {
    options.stop.throwIfAborted();
    const what = describe(next);
    try {
      await step(options.tell, host.name, what, async () => {
        await journal(host, target.release, what);
        await perform(host, next, target.release, options, (line) =>
          note(options.tell, host.name, line),
        );
      });
    } finally {
      row.end = Date.now();
    }
  }
  row.outcome = steps.every(({ kind }) => kind === 'settle') ? 'unchanged' : outcome;
}

async function rollEdge(
  { host, target }: HostTarget,
  { edge, join }: HostPlan,
  rows: Row[],
  options: RollOptions,
  outcome: Done,
): Promise<void> {
  if (edge === 'keep') return;
  options.stop.throwIfAborted();
  const to = target.edge.config;
  const row: Row = { host: host.name, service: 'caddy', from: '', to, ...now(), outcome: 'failed' };
  rows.push(row);
  const what = `${edge} caddy`;
  try {
    await step(options.tell, host.name, what, async () => {
      await journal(host, target.release, what);
      await validateEdge(host, target);
      await applyEdge(
        host,
        target,
        { how: edge, stayOut: join, drainMs: options.edgeDrain },
        (line) => note(options.tell, host.name, line),
      );
    });
    row.outcome = outcome;
  } finally {
    row.end = Date.now();
  }
}

function now(): { start: number; end: number } {
  return { start: Date.now(), end: Date.now() };
}

/** Says on the host what is going on there, for whoever finds it after a crash. */
export async function journal(host: Host, release: string, what: string): Promise<void> {
  const entry = { release, step: what, at: new Date().toISOString(), token: host.token };
  // Never half a line: the next run reads it.
  await host.change(['sh', '-c', 'cat >"$1.new" && mv -f "$1.new" "$1"', 'journal', journalFile], {
    input: `${JSON.stringify(entry)}\n`,
  });
}
