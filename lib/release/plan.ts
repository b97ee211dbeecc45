import type { Component, Manifest } from './manifest.ts';
import type { HostState, Slot, SlotName } from './slots.ts';

/**
 * One step of a release on a host.
 * - `start`: start the slot with the target's image.
 * - `await`: wait until it is healthy.
 * - `prove`: hold it to the readiness contract while another serves, then wait until Caddy sends it requests.
 * - `settle`: wait until it is healthy, takes traffic and Caddy sends it some.
 * - `retire`: take the slot out of rotation, wait until it is idle, end it.
 * - `end`: wait until the slot is idle, end it. No other slot serves in its place, so it takes requests
 *   to its end: a run that is killed meanwhile leaves what a rollback can keep as it is.
 */
export interface Step {
  kind: 'start' | 'await' | 'prove' | 'settle' | 'retire' | 'end';
  service: string;
  slot: SlotName;
}

export interface ServicePlan {
  service: string;
  /** Version that serves now, or '' when none does. */
  from: string;
  /** '' for a service that the target does not have. */
  to: string;
  steps: Step[];
}

export interface HostPlan {
  /** Caddy is missing, or its image, its settings or the file that it would start with differ. */
  edge: 'keep' | 'start' | 'replace';
  /** In order; a service with nothing to do has no steps. */
  services: ServicePlan[];
  /**
   * Whether the host was taken out of rotation and comes back in when the rest is done. Until then
   * nobody used it, so each service has to show that it is served, whether it changes or not.
   */
  join: boolean;
}

/**
 * What it takes to bring a host from what runs there to the target. Whatever a killed run left
 * (two slots up, none in `current`) is a state like any other: the same plan finishes or undoes it.
 * @param current the release that the host's `current` names: who is trusted when both slots run.
 */
export function planHost(
  state: HostState,
  target: Manifest,
  current: Manifest | undefined,
): HostPlan {
  const { edge, caddyfile, outOfRotation: join } = state;
  const wanted = target.order.flatMap((service) => {
    const component = target.services[service];
    if (component === undefined) return [];
    const slots = state.slots.filter((slot) => slot.service === service);
    const trusted = current?.services[service];
    return [
      {
        service,
        from: serving(slots, trusted)?.version ?? '',
        to: component.version,
        steps: planService(service, slots, component, trusted, join),
      },
    ];
  });
  // Last: by then nobody is left who calls it.
  const services = [...wanted, ...planGone(state.slots, target)];
  if (edge === undefined) return { edge: 'start', services, join };
  const same =
    edge.image === target.edge.image &&
    edge.config === target.edge.config &&
    // A killed run may have left its file beside a Caddy that it did not get to replace.
    (target.edge.caddyfile ?? caddyfile) === caddyfile;
  return { edge: same ? 'keep' : 'replace', services, join };
}

/** Services that run and that the target does not have: they end. */
function planGone(slots: readonly Slot[], target: Manifest): ServicePlan[] {
  const gone = slots.filter(({ service }) => target.services[service] === undefined);
  return [...new Set(gone.map(({ service }) => service))].map((service) => {
    const own = gone.filter((slot) => slot.service === service);
    const steps = own.map(({ slot }): Step => ({ kind: 'end', service, slot }));
    return { service, from: serving(own, undefined)?.version ?? '', to: '', steps };
  });
}

function planService(
  service: string,
  slots: readonly Slot[],
  target: Component,
  trusted: Component | undefined,
  join: boolean,
): Step[] {
  const step = (kind: Step['kind'], slot: SlotName): Step => ({ kind, service, slot });
  const wanted = slots.filter((slot) => matches(slot, target));
  const keep =
    wanted.find((slot) => slot.health === 'healthy') ??
    wanted.find((slot) => slot.health === 'starting');
  if (keep !== undefined) {
    const others = slots.filter((slot) => slot !== keep);
    if (others.length === 0 && keep.health === 'healthy' && !join) return [];
    return [step('settle', keep.slot), ...others.map((slot) => step('retire', slot.slot))];
  }
  const old = serving(slots, trusted);
  const fresh = (slot: SlotName): Step[] => [
    step('start', slot),
    step('await', slot),
    step('prove', slot),
  ];
  if (old === undefined) return fresh('a');
  const idle: SlotName = old.slot === 'a' ? 'b' : 'a';
  const leftover = slots.some((slot) => slot.slot === idle);
  return [
    // What a killed run left in the idle slot goes only once the other one surely serves.
    ...(leftover ? [step('settle', old.slot), step('retire', idle)] : []),
    ...fresh(idle),
    step('retire', old.slot),
  ];
}

/** A version is what it answers with: of one that the release calls otherwise the gate would fail. */
function matches(slot: Slot, { image, config, version }: Component): boolean {
  return slot.image === image && slot.config === config && slot.version === version;
}

/** Which of a service's running slots to keep serving: the current release's, a healthy one, the older. */
function serving(slots: readonly Slot[], trusted: Component | undefined): Slot | undefined {
  const rank = (slot: Slot): number =>
    (slot.health === 'healthy' ? 0 : 2) + (trusted && matches(slot, trusted) ? 0 : 1);
  return [...slots].sort((x, y) => rank(x) - rank(y) || (x.startedAt < y.startedAt ? -1 : 1))[0];
}

/**
 * What is done on a host, in order. A service boots while the one before it, healthy by then, comes
 * into rotation and its former slot is drained: neither needs the other, and all of it takes seconds.
 */
export function inOrder({ services }: HostPlan): { service: ServicePlan; step: Step }[] {
  const order: { service: ServicePlan; step: Step }[] = [];
  for (const service of services) {
    const [first, ...rest] = service.steps.map((step) => ({ service, step }));
    if (first === undefined) continue;
    const meanwhile = first.step.kind === 'start' ? leftToSwap(order.map(({ step }) => step)) : 0;
    order.splice(order.length - meanwhile, 0, first);
    order.push(...rest);
  }
  return order;
}

/** How many of the last steps are a swap's end, through which a slot that serves stands behind the service. */
function leftToSwap(steps: readonly Step[]): number {
  const [one, last] = steps.slice(-2);
  if (last?.kind !== 'retire') return 0;
  return one?.kind === 'prove' ? 2 : 1;
}

/** Whether the plan changes anything. */
export function isEmpty(plan: HostPlan): boolean {
  const idle = plan.services.every((service) => service.steps.length === 0);
  return plan.edge === 'keep' && idle && !plan.join;
}

/** A step as the log, the journal and a dry run name it. */
export function describe({ kind, service, slot }: Step): string {
  const what = {
    start: 'start',
    await: 'wait until healthy',
    prove: 'prove its readiness contract, bring into rotation',
    settle: 'wait until healthy, bring into rotation',
    retire: 'take out of rotation, drain and end',
    end: 'drain and end',
  }[kind];
  return `${what} ${service}-${slot}`;
}
