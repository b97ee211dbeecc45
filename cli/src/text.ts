import type { history, status } from './commands.ts';

/** Columns of equal width for a person at a terminal. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function statusText(hosts: Awaited<ReturnType<typeof status>>): string {
  const rows = hosts.flatMap((host) =>
    host.slots.map((slot) => [
      host.host,
      `${slot.service}-${slot.slot}`,
      slot.version,
      slot.health,
      host.release,
    ]),
  );
  const notes = hosts.flatMap(({ host, lease, unfinished }) => [
    ...(lease && lease.expires > 0 ? [`${host}: held by ${lease.owner} ${lease.run}`] : []),
    ...(unfinished === '' ? [] : [`${host}: a run ended in the middle of ${unfinished}`]),
  ]);
  return [
    columns([['HOST', 'SLOT', 'VERSION', 'HEALTH', 'CURRENT RELEASE'], ...rows]),
    ...notes,
  ].join('\n');
}

export function historyText(hosts: Awaited<ReturnType<typeof history>>): string {
  const rows = hosts.flatMap(({ host, entries }) =>
    entries.map((entry) => [
      host,
      entry.at,
      entry.action,
      entry.version,
      entry.release,
      entry.by,
      entry.reason ?? '',
    ]),
  );
  return columns([['HOST', 'WHEN', 'WHAT', 'VERSION', 'RELEASE', 'BY', 'WHY'], ...rows]);
}
