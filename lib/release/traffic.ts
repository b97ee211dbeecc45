import { z } from 'zod';
import { ReleaseFailure } from './evidence.ts';
import { type Host, slotName } from './host.ts';
import { ports } from './layout.ts';
import type { Slot } from './slots.ts';
import { answered, pause } from './waiting.ts';

/**
 * The readiness contract: what a service must offer on its management port so that it can be taken
 * out of rotation while it still serves.
 */
const trafficSchema = z.object({
  accept: z.boolean(),
  inFlight: z.number(),
  /** Open server-sent events and websockets, which are not in flight: see `end` in swap.ts. */
  streams: z.number().default(0),
});
export type Traffic = z.infer<typeof trafficSchema>;

const management = (slot: Slot): string => `http://${slot.address}:${ports.management}/actuator`;

/** Status of the slot's readiness; 0 when nothing answers. */
export async function readiness(host: Host, slot: Slot): Promise<number> {
  return (await host.http(`${management(slot)}/health/readiness`)).status;
}

/** What the slot is serving now, and whether it takes more; `undefined` when it cannot say. */
export async function traffic(host: Host, slot: Slot): Promise<Traffic | undefined> {
  const { status, body } = await host.http(`${management(slot)}/traffic`);
  if (status !== 200) return undefined;
  try {
    return trafficSchema.parse(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/** Turns the slot's readiness on or off; returns the status of the answer, 0 for none. */
export async function accept(host: Host, slot: Slot, on: boolean): Promise<number> {
  const options = ['-X', 'POST', '-H', 'Content-Type: application/json'];
  const body = JSON.stringify({ accept: on });
  const url = `${management(slot)}/traffic`;
  return (await host.http(url, ...options, '--data-raw', body)).status;
}

/**
 * Turns on the slots that serve alone: a proof that was cut off leaves one that refuses and is healthy, in
 * which a plan sees nothing to do.
 */
export async function reopen(host: Host): Promise<void> {
  const { slots } = await host.state();
  const isAlone = ({ service }: Slot): boolean =>
    slots.filter((slot) => slot.service === service).length === 1;
  const turnOn = (slot: Slot) =>
    answered(
      () => accept(host, slot, true),
      (status) => status === 0,
    );
  await Promise.all(slots.filter(isAlone).map(turnOn));
}

/**
 * Proves on a slot beside the one that serves that the service keeps the contract.
 * @throws ReleaseFailure with the sentence that says what to add to the service.
 */
export async function proveContract(host: Host, slot: Slot): Promise<void> {
  const name = slotName(slot.service, slot.slot);
  const refuse = (what: string): ReleaseFailure =>
    new ReleaseFailure(
      `${name} on ${host.name} does not keep the readiness contract: ${what}. It would lose ` +
        `requests when it is replaced. On port ${ports.management} the service must offer ` +
        'POST /actuator/traffic {"accept":false}, which turns GET /actuator/health/readiness to ' +
        '503 while requests are still served, and {"accept":true}, which turns it back to 200; ' +
        'GET /actuator/traffic answers {"accept":…,"inFlight":…}.',
    );
  const isNone = (status: number): boolean => status === 0;
  const off = await answered(() => accept(host, slot, false), isNone);
  if (off < 200 || off > 299) throw refuse(`POST /actuator/traffic answered ${off || 'nothing'}`);
  const [closed, counts] = await Promise.all([
    answered(() => readiness(host, slot), isNone),
    answered(
      () => traffic(host, slot),
      (counts) => counts === undefined,
    ),
  ]);
  if (closed !== 503) throw refuse(`readiness is ${closed} after {"accept":false}`);
  if (counts === undefined) throw refuse('GET /actuator/traffic gives no accept and inFlight');
  if (counts.accept) throw refuse('it still says accept:true after {"accept":false}');
  let open = 0;
  for (let attempt = 0; attempt < 10; attempt++) {
    await accept(host, slot, true);
    open = await readiness(host, slot);
    if (open === 200) return;
    await pause(200);
  }
  throw refuse(`readiness is ${open} after {"accept":true}`);
}
