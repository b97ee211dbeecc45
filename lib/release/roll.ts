import { applyEdge, validateEdge } from './edge.ts';
import type { Host } from './host.ts';
import { caddy, journalFile } from './layout.ts';
import type { Manifest } from './manifest.ts';
import {
  describe,
  type HostPlan,
  inOrder,
  isEmpty,
  planHost,
  type ServicePlan,
  type Step,
} from './plan.ts';
import { note, step, type Tell } from './progress.ts';
import { serves } from './slots.ts';
import { type Patience, perform } from './swap.ts';
import { pause } from './waiting.ts';

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
  /** Milliseconds that the load balancer needs to notice a host that goes out of rotation, or is back. */
  edgeDrain: number;
  /** All that the load balancer may send requests to: one of them always stays in rotation. */
  servers: readonly Host[];
  tell: Tell;
  /** Fires when the job is cancelled or the lease is lost: the next step is not begun. */
  stop: AbortSignal;
}

/** Brings one host to a release whose files lie there already. */
export interface HostTarget {
  host: Host;
  target: Manifest;
  current: Manifest | undefined;
  /** Release that this takes back: a rollback after a kill takes back the same. */
  undoes?: string | undefined;
}

type Done = 'swapped' | 'rolled-back';

/**
 * Host after host, `batch` at a time; within a host, step after step. Who is out of rotation
 * comes first, and whose Caddy changes leaves it when the one before is back, whatever the batch.
 * @param rows receives what was done, also when it throws.
 * @param outcome what a finished row is called.
 */
export async function rollHosts(
  targets: readonly HostTarget[],
  rows: Row[],
  options: RollOptions,
  outcome: Done = 'swapped',
): Promise<void> {
  const serving = await Promise.all(targets.map(({ host }) => isServing(host)));
  const away = targets.filter((_, index) => !serving[index]);
  for (const batch of inBatches(away, options.batch)) {
    await rollBatch(batch, rows, options, outcome);
  }
  if (away.length > 0 && away.length < options.servers.length) {
    const names = away.map(({ host }) => host.name).join(', ');
    note(options.tell, '', `${options.edgeDrain / 1000} s for the load balancer to see ${names}`);
    await pause(options.edgeDrain);
  }
  const rest = targets.filter((_, index) => serving[index]);
  for (const batch of inBatches(rest, options.batch)) {
    const plans = await Promise.all(batch.map(planOf));
    for (const [index, target] of batch.entries()) {
      await rollEdge(target, plans[index] as HostPlan, rows, options, outcome);
    }
    await rollBatch(batch, rows, options, outcome);
  }
}

function inBatches<T>(all: readonly T[], size: number): T[][] {
  const count = Math.ceil(all.length / size);
  return Array.from({ length: count }, (_, index) => all.slice(index * size, (index + 1) * size));
}

async function rollBatch(
  batch: readonly HostTarget[],
  rows: Row[],
  options: RollOptions,
  outcome: Done,
): Promise<void> {
  const results = await Promise.allSettled(
    batch.map((target) => rollHost(target, rows, options, outcome)),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Whether the load balancer sends a server requests; one that does not answer is not counted on. */
export async function isServing(host: Host): Promise<boolean> {
  return host.state().then(serves, () => false);
}

/** Whether requests go on to be served when this host leaves the rotation. */
export async function canLeave(host: Host, servers: readonly Host[]): Promise<boolean> {
  const others = servers.filter((server) => server !== host);
  return (await Promise.all(others.map(isServing))).some(Boolean);
}

export async function isAlreadyThere(targets: readonly HostTarget[]): Promise<boolean> {
  return (await Promise.all(targets.map(planOf))).every(isEmpty);
}

async function planOf({ host, target, current }: HostTarget): Promise<HostPlan> {
  return planHost(await host.state(), target, current);
}

async function rollHost(
  target: HostTarget,
  rows: Row[],
  options: RollOptions,
  outcome: Done,
): Promise<void> {
  const { host } = target;
  const plan = await planOf(target);
  await rollEdge(target, plan, rows, options, outcome);
  const begun = new Map<ServicePlan, Row>();
  const rowOf = (service: ServicePlan, outcome: Row['outcome']): Row => {
    const { service: name, from, to } = service;
    const row: Row = { host: host.name, service: name, from, to, ...now(), outcome };
    rows.push(row);
    begun.set(service, row);
    return row;
  };
  for (const service of plan.services) {
    if (service.steps.length === 0) rowOf(service, 'unchanged');
  }
  for (const { service, step: next } of inOrder(plan)) {
    options.stop.throwIfAborted();
    const row = begun.get(service) ?? rowOf(service, 'failed');
    await rollStep(target, next, row, options);
    if (next !== service.steps.at(-1)) continue;
    row.outcome = service.steps.every(({ kind }) => kind === 'settle') ? 'unchanged' : outcome;
  }
  // Whatever took it out: now it serves what the others serve.
  await host.change(['rm', '-f', caddy.outOfRotation]);
}

async function rollStep(at: HostTarget, next: Step, row: Row, options: RollOptions): Promise<void> {
  const { host, target } = at;
  const what = describe(next);
  try {
    await step(options.tell, host.name, what, async () => {
      await journal(at, what);
      await perform(host, next, target.release, options, (line) =>
        note(options.tell, host.name, line),
      );
    });
  } finally {
    row.end = Date.now();
  }
}

async function rollEdge(
  at: HostTarget,
  { edge, join }: HostPlan,
  rows: Row[],
  options: RollOptions,
  outcome: Done,
): Promise<void> {
  if (edge === 'keep') return;
  options.stop.throwIfAborted();
  const { host, target } = at;
  const to = target.edge.config;
  const row: Row = { host: host.name, service: 'caddy', from: '', to, ...now(), outcome: 'failed' };
  rows.push(row);
  const what = `${edge} caddy`;
  try {
    await step(options.tell, host.name, what, async () => {
      await journal(at, what);
      await validateEdge(host, target);
      const say = (line: string): void => note(options.tell, host.name, line);
      // The only one that serves stays: that turns people away for a moment, its absence for longer.
      const leave = edge === 'replace' && (join || (await canLeave(host, options.servers)));
      if (edge === 'replace' && !leave) say('stays in rotation, as no other server serves');
      await applyEdge(host, target, { leave, stayOut: join, drainMs: options.edgeDrain }, say);
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
export async function journal({ host, target, undoes }: HostTarget, what: string): Promise<void> {
  const at = new Date().toISOString();
  const entry = { release: target.release, undoes, step: what, at, token: host.token };
  await host.write(journalFile, `${JSON.stringify(entry)}\n`, '0644');
}
