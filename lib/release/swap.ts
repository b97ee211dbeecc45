import { chosenSlots, requestsUnderWay } from './edge.ts';
import { gather, ReleaseFailure } from './evidence.ts';
import { type Host, slotName } from './host.ts';
import { type Inspection, inspect } from './inspection.ts';
import { healthInterval, ports } from './layout.ts';
import type { Step } from './plan.ts';
import type { Edge, Slot } from './slots.ts';
import { accept, proveContract, readiness, traffic } from './traffic.ts';
import { pause, until, WaitedTooLong } from './waiting.ts';

/** Limits of a swap, in milliseconds. */
export interface Patience {
  healthTimeout: number;
  drainTimeout: number;
  /** Ends the long waits: a job that is cancelled has seconds, and what is there is whole. */
  stop?: AbortSignal;
}

/** Restarts, while it is waited for, after which a container is taken for one that never comes up. */
const crashLoop = 2;

/** Seconds until a container is looked at again, though Docker says nothing of it. */
const longestLook = 5;

/** Seconds without a health check that say that there will be none: at most ten lie between two, and one takes five. */
const longestUnchecked = 20;

/** Seconds between SIGTERM and SIGKILL; longer than a service's own graceful shutdown. */
const grace = 30;

/** Carries out one step. Every step may be repeated, or taken up where a killed run left it. */
export async function perform(
  host: Host,
  step: Step,
  release: string,
  patience: Patience,
  say: (line: string) => void,
): Promise<void> {
  const name = slotName(step.service, step.slot);
  if (step.kind === 'start') {
    await host.compose(release, 'up', '-d', '--no-deps', '--no-build', '--pull', 'never', name);
    return;
  }
  if (step.kind === 'retire' || step.kind === 'end') {
    const { slot } = await running(host, step);
    if (slot === undefined) return;
    if (step.kind === 'retire') await outOfRotation(host, slot, say);
    await end(host, slot, patience, say);
    return;
  }
  try {
    if (step.kind !== 'prove') {
      await healthy(host, step, patience);
      say(`${name} is healthy`);
    }
    if (step.kind === 'await') return;
    const { slot, edge } = await running(host, step);
    if (slot === undefined) throw new ReleaseFailure(`${name} on ${host.name} is gone.`);
    if (edge === undefined) throw new ReleaseFailure(`Caddy does not run on ${host.name}.`);
    if (step.kind === 'prove') await proveContract(host, slot);
    else await ready(host, slot);
    await inRotation(host, slot, edge);
  } catch (error) {
    if (!(error instanceof ReleaseFailure) || error.evidence !== undefined) throw error;
    const evidence = await gather(host, `compta-${name}-1`, step.service, step.slot);
    throw new ReleaseFailure(error.message, evidence, { cause: error.cause });
  }
}

/** The step's slot and Caddy, as far as they run. */
async function running(
  host: Host,
  step: Step,
): Promise<{ slot: Slot | undefined; edge: Edge | undefined }> {
  const { slots, edge } = await host.state();
  const slot = slots.find((each) => each.service === step.service && each.slot === step.slot);
  return { slot, edge };
}

/** Waits for Docker's verdict, and no longer than it takes to see that it will not come. */
async function healthy(host: Host, step: Step, { healthTimeout, stop }: Patience): Promise<void> {
  const name = slotName(step.service, step.slot);
  const fail = (why: string): ReleaseFailure =>
    new ReleaseFailure(`${name} on ${host.name} did not become healthy: ${why}.`);
  // One that serves already may have ended now and then, in weeks.
  let earlier = step.kind === 'await' ? 0 : undefined;
  let seen: Inspection | undefined;
  let checked = 0;
  try {
    await until(`${name} to be healthy`, healthTimeout, async (left) => {
      stop?.throwIfAborted();
      const seconds = Math.min(Math.max(left / 1000, 0.1), longestLook);
      const after = seen && { at: seen.at, seconds, stop };
      seen = await inspect(host, `compta-${name}-1`, after);
      if (seen === undefined) throw fail('its container is gone');
      if (seen.outOfMemory) throw fail('it ran out of memory');
      earlier ??= seen.restarts;
      if (seen.restarts - earlier >= crashLoop) throw fail(`it ended ${seen.restarts} times`);
      if (seen.status === 'exited') throw fail(`it ended with code ${seen.exitCode}`);
      if (seen.status === 'running' && seen.health === undefined) {
        throw fail('its image has no HEALTHCHECK; add one to its Dockerfile');
      }
      // Docker also calls a container that just ended unhealthy; its restarts then tell.
      if (seen.health === 'unhealthy' && seen.lastHealth !== '') {
        throw fail(`its health check says: ${seen.lastHealth}`);
      }
      checked = Math.max(checked, seen.checkedAt);
      const starts = seen.status === 'running' && seen.health === 'starting';
      const stalled = starts && Number(seen.at) - checked > longestUnchecked;
      if (stalled || seen.status === 'paused') {
        await resumeChecks(host, `compta-${name}-1`);
        checked = Number(seen.at);
      }
      return seen.health === 'healthy';
    });
  } catch (error) {
    if (!(error instanceof WaitedTooLong)) throw error;
    const last = `${healthTimeout / 1000} s went by, and its health check last said: ${seen?.lastHealth || 'nothing'}`;
    throw fail(`${last}. If it only starts slowly, raise \`health-timeout\``);
  }
}

/**
 * Has Docker check a container's health again: an engine before 23 that restarts beside it does not, until it
 * is paused and goes on (moby#41871). It is paused already where that was cut off in between; where it has
 * ended meanwhile, the next look says so.
 */
async function resumeChecks(host: Host, container: string): Promise<void> {
  const script = 'docker pause "$1" >/dev/null 2>&1; exec docker unpause "$1" >/dev/null';
  await host.change(['sh', '-c', script, 'resume', container], { allowFailure: true });
}

/** Lets the slot take traffic. */
async function ready(host: Host, slot: Slot): Promise<void> {
  // Told again each time: on a busy server a word may be lost.
  await promptly(host, `${slotName(slot.service, slot.slot)} to be ready`, async () => {
    await accept(host, slot, true);
    return (await readiness(host, slot)) === 200;
  });
}

/** Waits until Caddy really sends a slot requests that is ready. */
async function inRotation(host: Host, slot: Slot, edge: Edge): Promise<void> {
  const name = slotName(slot.service, slot.slot);
  await Promise.all([
    promptly(host, `Caddy to choose ${name}`, async () => {
      const chosen = await chosenSlots(host, edge.address, slot.service, 3);
      return chosen.includes(name);
    }),
    // Each of Caddy's sites checks by a clock of its own. One that is late when the other slot leaves
    // has its requests wait for the next check (lb_try_duration): none is turned away.
    pause(healthInterval),
  ]);
}

/** @throws ReleaseFailure when it is not so within 15 s. */
async function promptly(host: Host, what: string, ask: () => Promise<boolean>): Promise<void> {
  try {
    await until(what, 15_000, ask);
  } catch (error) {
    if (!(error instanceof WaitedTooLong)) throw error;
    throw new ReleaseFailure(`On ${host.name}: ${error.message}`);
  }
}

/** Before a slot ends: a request never meets one that is going. */
async function outOfRotation(host: Host, slot: Slot, say: (line: string) => void): Promise<void> {
  const status = await readiness(host, slot);
  // No answer is no refusal: on a busy server the question may be lost, and the order as well.
  if (status === 200 || status === 0) await closed(host, slot, say);
  else await accept(host, slot, false);
  // Two checks of Caddy, each of which may take as long as the interval between them.
  await pause(3 * healthInterval);
}

/**
 * Idle, then ended. Streams are not waited for, as they may never end: SIGTERM tells the service to
 * close them, and whoever opens one again is served by the other slot.
 */
async function end(
  host: Host,
  slot: Slot,
  patience: Patience,
  say: (line: string) => void,
): Promise<void> {
  const name = slotName(slot.service, slot.slot);
  try {
    let idle = 0;
    await until(`${name} to be idle`, patience.drainTimeout, async () => {
      patience.stop?.throwIfAborted();
      const [own, caddys] = await Promise.all([traffic(host, slot), requestsUnderWay(host, slot)]);
      const { inFlight = 0, streams = 0 } = own ?? {};
      idle = inFlight === 0 && caddys <= streams ? idle + 1 : 0;
      return idle >= 2;
    });
  } catch (error) {
    if (!(error instanceof WaitedTooLong)) throw error;
    say(`${name}: ${error.message} It is ended with its grace of ${grace} s all the same.`);
  }
  const timeoutMs = (grace + 30) * 1000;
  const script = 'docker stop -t "$2" "$1" >/dev/null && docker rm -f "$1" >/dev/null';
  await host.change(['sh', '-c', script, 'end', slot.id, String(grace)], { timeoutMs });
}

/**
 * Waits for the readiness to turn to 503. A slot that does not obey would be chosen until its last
 * moment, so its management port is shut from outside: Caddy's health checks fail, no request comes
 * any more, and those under way are served to their end.
 */
async function closed(host: Host, slot: Slot, say: (line: string) => void): Promise<void> {
  const name = slotName(slot.service, slot.slot);
  try {
    await until(`${name} to say 503`, 5_000, async () => {
      const told = await accept(host, slot, false);
      const status = await readiness(host, slot);
      // No answer proves nothing, unless nobody answers at all.
      return told === 0 ? status !== 200 : status === 503;
    });
  } catch (error) {
    if (!(error instanceof WaitedTooLong)) throw error;
    say(`${name} ignores {"accept":false}; its management port is shut instead`);
    const shut = `exec nsenter -t "$(docker inspect -f '{{.State.Pid}}' "$1")" -n \
iptables -I INPUT ! -i lo -p tcp --dport "$2" -j REJECT --reject-with tcp-reset`;
    await host.change(['sh', '-c', shut, 'shut', slot.id, String(ports.management)]);
  }
}
