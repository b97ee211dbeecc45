/**
 * One deploy or rollback as a process of its own, so that it can be killed: what to do comes as JSON
 * on standard input, the event log goes to standard output, a line of JSON an event.
 */
import { text } from 'node:stream/consumers';
import { renderCompose } from '../../lib/release/compose.ts';
import { connectAll, type Destination } from '../../lib/release/connect.ts';
import { deploy } from '../../lib/release/deploy.ts';
import type { Moment } from '../../lib/release/progress.ts';
import { rollback } from '../../lib/release/rollback.ts';
import type { Wanted } from '../../lib/release/target.ts';

export interface Order {
  environment: string;
  destination: Destination;
  /** Without it: a rollback. */
  wanted?: Omit<Wanted, 'compose'>;
  /** Where the new version is asked for at the end. */
  baseUrl?: string;
  batch: number;
  /** Path of a Compose template in the place of the environment's. */
  compose?: string;
  /** Ends itself with SIGKILL at the first moment of this name. */
  killAt?: string;
}

/**
 * A moment's name, the same in every run: releases have other names in each.
 * @param back whether what was swapped is going back.
 */
function nameOf({ kind, host, what }: Moment, back: boolean): string {
  return `${kind} ${host || 'all'}: ${back ? 'on the way back, ' : ''}${what
    .replaceAll(/\d+\.\d+\.\d+-[0-9a-f]{8}/g, 'RELEASE')
    .replaceAll(/\d+\.\d+\.\d+$/g, 'VERSION')
    .replaceAll(/\d+ images/g, 'IMAGES')
    .replaceAll(/-[ab]$/g, '')}`;
}

if (import.meta.main) {
  const order = JSON.parse(await text(process.stdin)) as Order;
  const { hosts, close } = await connectAll(order.destination);
  let back = false;
  const how = {
    by: 'bench',
    run: '',
    reason: 'bench',
    batch: order.batch,
    // Three checks of the load balancer, each of which may take as long as half a second.
    edgeDrain: 3_000,
    healthTimeout: 60_000,
    drainTimeout: 30_000,
    lockTimeout: 120_000,
    rollbackOnFailure: true,
    keep: 3,
    // Who is killed is waited for no longer than need be.
    ...(order.killAt !== undefined && { leaseLifetime: 6 }),
    ...(order.baseUrl !== undefined && { baseUrl: order.baseUrl }),
    cancelled: new AbortController().signal,
    tell: (moment: Moment) => {
      back ||= moment.what.startsWith('Rolling back everything');
      const name = nameOf(moment, back);
      process.stdout.write(`${JSON.stringify({ ...moment, name })}\n`);
      if (name === order.killAt) process.kill(process.pid, 'SIGKILL');
    },
  };
  try {
    const { wanted, environment } = order;
    const template = `infra/docker/compose/${environment}/docker-compose.yml.j2`;
    const outcome =
      wanted === undefined
        ? await rollback(hosts, { environment, services: [] }, how)
        : await deploy(
            hosts,
            { ...wanted, compose: renderCompose(order.compose ?? template, {}) },
            how,
          );
    process.stdout.write(
      `${JSON.stringify({ status: outcome.status, problem: outcome.problem })}\n`,
    );
  } finally {
    await close();
  }
}
