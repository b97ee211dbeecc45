import { z } from 'zod';
import type { Connection } from '../../lib/ssh/connection.ts';

/** The one line that the postgresql role's compta-backup prints. */
const backup = z.object({
  database: z.string(),
  path: z.string(),
  bytes: z.number(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  proof: z.literal('restored-and-compared'),
  tables: z.record(z.string(), z.number()),
  seconds: z.number(),
});
export type Backup = z.infer<typeof backup>;

/**
 * Makes a backup on the database server, restored and compared there before it counts.
 *
 * @throws Error when there is none with that proof: nothing is migrated then.
 */
export async function verifiedBackup(
  server: Connection,
  database: string,
  onLine: (line: string) => void,
): Promise<Backup> {
  const { stdout } = await server.exec(['sudo', '-n', '/usr/local/sbin/compta-backup', database], {
    timeoutMs: 60 * 60_000,
    onLine,
  });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  try {
    return backup.parse(JSON.parse(last));
  } catch (cause) {
    throw new Error(
      `compta-backup gave no proof of a backup of ${database}, so nothing was changed.`,
      {
        cause,
      },
    );
  }
}
