import type { Host } from './host.ts';
import type { Manifest } from './manifest.ts';
import { begun, currentRelease, type HistoryEntry, readHistory } from './store.ts';

/** What a host takes for the current release, and since when. */
export interface Standing {
  host: Host;
  current: Manifest | undefined;
  history: HistoryEntry[];
}

export function standingsOf(hosts: readonly Host[]): Promise<Standing[]> {
  return Promise.all(
    hosts.map(async (host) => {
      const [current, history] = await Promise.all([currentRelease(host), readHistory(host)]);
      return { host, current, history };
    }),
  );
}

/**
 * The host that tells what the environment runs: the one whose release was made current last. A
 * host that was away during a release, or is new, is not it.
 */
export function leaderOf<T extends Pick<Standing, 'current' | 'history'>>(
  standings: readonly T[],
): T | undefined {
  // Not by the last line: a host that is being caught up has the others' history before their release.
  const since = ({ current, history }: T): string =>
    history.findLast(({ release }) => release === current?.release)?.at ?? '';
  return standings
    .filter(({ current }) => current !== undefined)
    .sort((x, y) => since(y).localeCompare(since(x)) || y.history.length - x.history.length)[0];
}

/**
 * Now, for a history: by this machine's clock, but never before what is in there already, whichever machine's
 * clock that was, or the host that has the newest release would not be the leader.
 */
export function momentAfter(known: readonly string[], now = Date.now()): string {
  const newest = known.reduce((latest, at) => Math.max(latest, Date.parse(at) || 0), 0);
  return new Date(Math.max(now, newest + 1)).toISOString();
}

/** Hosts that missed what is current, or are new: what they know is not what the leader knows. */
export function behindOf(standings: readonly Standing[]): Host[] {
  const release = leaderOf(standings)?.current?.release;
  return standings.filter(({ current }) => current?.release !== release).map(({ host }) => host);
}

/** Releases that runs which ended in the middle had begun, or were taking back. */
export async function begunOn(standings: readonly Standing[]): Promise<string[]> {
  const leader = leaderOf(standings);
  const behind = behindOf(standings);
  const back = leader?.history.at(-1)?.undoes;
  const releases = await Promise.all(
    standings.map(async ({ host, current }) => {
      const journal = await begun(host);
      const release = journal?.undoes ?? journal?.release;
      if (!behind.includes(host)) return release;
      // Behind the others: what was begun counts if they have just taken it back and this host has yet to.
      // One that had missed what they went back to has no way back: it waits for `compta converge`.
      const returns = current?.release === back || journal?.release === leader?.current?.release;
      return release === back && returns ? release : undefined;
    }),
  );
  return releases.flatMap((release) => release ?? []);
}
