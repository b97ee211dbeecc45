import { setTimeout as sleep } from 'node:timers/promises';
import { type HetznerApi, HetznerError } from '../hetzner/api.ts';

/** Who is killed in its turn keeps the others waiting for so long. */
const LONGEST_TURN_MS = 120_000;
const PATIENCE_MS = 300_000;
const PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 3_000;

/** One runner's turn to change a firewall. */
export interface Turn {
  /** Milliseconds since the epoch: not later than others can have seen it first. */
  since: number;
  end(): Promise<void>;
}

/**
 * Waits for the one turn to change a firewall's rules, which Hetzner replaces as a whole, whoever
 * wrote them last. Of two firewalls with one name it refuses the second: so who has made an empty
 * one, applied to nothing, has the turn until it is deleted.
 *
 * @param owner the same in every step of a job, which takes up what an interrupted step left
 * @throws HetznerError, and Error naming the holder of a turn that never ends
 */
export async function takeTurn(
  api: HetznerApi,
  firewall: number,
  owner: string,
  longest = LONGEST_TURN_MS,
): Promise<Turn> {
  const name = `turn-of-firewall-${firewall}`;
  const mine = labelOf(owner);
  const begun = Date.now();
  let seen = { id: 0, since: 0 };
  for (;;) {
    const since = Date.now();
    const id = await make(api, name, mine);
    if (id !== undefined) return { since, end: () => end(api, id) };
    const holder = await api.byName('firewalls', name);
    if (holder && holder.id !== seen.id) seen = { id: holder.id, since: Date.now() };
    const isOver = holder && Date.now() - seen.since > longest;
    // By its id: whoever has the turn by now has another one.
    if (holder && (isOver || holder.labels?.runner === mine)) await end(api, holder.id);
    const waited = Date.now() - begun;
    if (waited > PATIENCE_MS) {
      throw new Error(
        `The turn to change firewall ${firewall} did not come within ${PATIENCE_MS / 60_000} minutes: ${holder?.labels?.runner ?? 'nobody'} has it. Let fewer jobs reach the environment at once.`,
      );
    }
    await sleep(pauseAfter(waited) * (1 + Math.random()));
  }
}

/**
 * A turn takes about a second. One that lasts is of somebody who was killed: until it is over, who
 * waits has to leave the project's requests, one a second, to Terraform and the other runners.
 *
 * @param waited milliseconds, as is what it returns: the least pause before asking again
 */
export function pauseAfter(waited: number): number {
  return Math.min(Math.max(PAUSE_MS, waited / 10), LONGEST_PAUSE_MS);
}

/** @returns undefined when another has the turn, or nobody knows whether we have it */
async function make(api: HetznerApi, name: string, runner: string): Promise<number | undefined> {
  try {
    const made = await api.postOnce('/firewalls', { name, labels: { runner } });
    return (made as { firewall: { id: number } }).firewall.id;
  } catch (error) {
    if (!(error instanceof HetznerError)) throw error;
    if (error.code === 'uniqueness_error' || error.passes) return undefined;
    throw error;
  }
}

/** When it does not come off, the others wait until the turn is over by itself. */
async function end(api: HetznerApi, id: number): Promise<void> {
  await api.delete(`/firewalls/${id}`).catch(() => undefined);
}

/** A label's value is of 63 letters, digits, dots and dashes at most, and has a letter or digit at each end. */
function labelOf(owner: string): string {
  const text = owner.replaceAll(/[^A-Za-z0-9]+/g, '-').slice(-63);
  return text.replaceAll(/^-|-$/g, '');
}
