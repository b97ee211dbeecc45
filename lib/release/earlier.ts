import type { Component, Manifest } from './manifest.ts';
import type { HistoryEntry } from './store.ts';

/** Releases whose files are on a host, by id. */
export type Kept = ReadonlyMap<string, Manifest>;

/**
 * The release that a rollback without a version goes to: what was there before the current one was
 * deployed (not before it was rolled back to, or two rollbacks would only swap two releases).
 */
export function releaseBefore(
  history: readonly HistoryEntry[],
  current: string,
): string | undefined {
  return arrival(history, (entry) => entry.release === current && entry.previous !== current)
    ?.previous;
}

/** What a service ran before the deploy that brought what it runs now; other services' releases do not count. */
export function componentBefore(
  history: readonly HistoryEntry[],
  kept: Kept,
  service: string,
  now: Component,
): Component | undefined {
  const previous = arrivalOf(history, kept, service, now)?.previous ?? '';
  return kept.get(previous)?.services[service];
}

/** Services that still run what a release, or a version, brought: nobody released or took them back since. */
export function broughtBy(
  history: readonly HistoryEntry[],
  kept: Kept,
  from: string,
  now: Manifest,
): string[] {
  const services = Object.entries(now.services).filter(
    ([service, component]) =>
      component.version === from || arrivalOf(history, kept, service, component)?.release === from,
  );
  return services.map(([service]) => service);
}

/**
 * The release of this name, or the newest that was deployed as this version. A rollback of some
 * services alone has their version too, and other services as they were.
 */
export function releaseOf(history: readonly HistoryEntry[], version: string): string | undefined {
  const named = history.findLast((entry) => entry.release === version);
  const deployed = history.findLast(
    (entry) => entry.action === 'deploy' && entry.version === version,
  );
  return (named ?? deployed)?.release;
}

/** What a service was at this version of its own in a kept release, or in the release of this name or version. */
export function componentOf(
  history: readonly HistoryEntry[],
  kept: Kept,
  service: string,
  version: string,
): Component | undefined {
  const own = history.findLast(
    ({ release }) => kept.get(release)?.services[service]?.version === version,
  );
  return kept.get(own?.release ?? releaseOf(history, version) ?? '')?.services[service];
}

/**
 * Releases that stay on a host: the last `count`, and whatever a rollback of the whole or of one
 * service alone would go back to.
 */
export function releasesToKeep(
  history: readonly HistoryEntry[],
  count: number,
  kept: Kept,
  current: string,
): string[] {
  const newest = [...history].reverse().flatMap((entry) => [entry.release, entry.previous]);
  const last = [...new Set(newest)].filter((release) => release !== '').slice(0, count);
  const services = Object.entries(kept.get(current)?.services ?? {});
  const arrivals = services.flatMap(([service, now]) => {
    const entry = arrivalOf(history, kept, service, now);
    return entry === undefined ? [] : [entry.release, entry.previous];
  });
  const before = releaseBefore(history, current) ?? [];
  return [...new Set([current, ...last, ...arrivals].concat(before))];
}

/** The deploy that brought what a service runs now, as long as the release before it is kept. */
function arrivalOf(
  history: readonly HistoryEntry[],
  kept: Kept,
  service: string,
  now: Component,
): HistoryEntry | undefined {
  const image = (release: string): string | undefined =>
    kept.get(release)?.services[service]?.image;
  return arrival(history, ({ release, previous }) => {
    const before = image(previous);
    return image(release) === now.image && before !== undefined && before !== now.image;
  });
}

function arrival(
  history: readonly HistoryEntry[],
  is: (entry: HistoryEntry) => boolean,
): HistoryEntry | undefined {
  const found = history.findLast((entry) => entry.action === 'deploy' && is(entry));
  return found?.previous ? found : undefined;
}
