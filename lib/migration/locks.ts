/** A lock on a table of the clone, as one script held it. */
export interface Lock {
  table: string;
  mode: string;
  /** Milliseconds that it was seen to be held; 0 when it came and went between two looks. */
  heldMs: number;
  blocks: string;
}

/** Who waits for a lock of this mode; '' for those that ordinary statements take as well. */
export function blockedBy(mode: string): string {
  switch (mode) {
    case 'AccessExclusiveLock':
      return 'reads and writes';
    case 'ExclusiveLock':
    case 'ShareRowExclusiveLock':
    case 'ShareLock':
      return 'writes';
    case 'ShareUpdateExclusiveLock':
      return 'other schema changes, VACUUM';
    default:
      return '';
  }
}

/** One look: milliseconds since the epoch, and what was held. */
export interface Look {
  at: number;
  held: readonly { table: string; mode: string }[];
}

/**
 * @param looks in their order, while the script ran.
 * @param final what it held at its very end, which no look can miss; empty outside a transaction.
 */
export function locksOf(looks: readonly Look[], final: Look | undefined): Lock[] {
  const seen = new Map<string, { table: string; mode: string; first: number; last: number }>();
  for (const { at, held } of [...looks, ...(final ? [final] : [])]) {
    for (const { table, mode } of held) {
      const before = seen.get(`${table} ${mode}`);
      seen.set(`${table} ${mode}`, { table, mode, first: before?.first ?? at, last: at });
    }
  }
  return [...seen.values()]
    .map(({ table, mode, first, last }) => ({
      table,
      mode,
      heldMs: Math.max(0, last - first),
      blocks: blockedBy(mode),
    }))
    .filter(({ blocks }) => blocks !== '')
    .sort((a, b) => b.heldMs - a.heldMs);
}
