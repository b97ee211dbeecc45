import { z } from 'zod';
import type { Connection } from '../ssh/connection.ts';
import { MigrationRefused } from './refused.ts';

/** The one line that the postgresql role's compta-backup prints, and keeps beside the dump. */
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

const restored = z.object({
  database: z.string(),
  /** The backup's name. */
  restored: z.string(),
  previous: z.string().nullable(),
  seconds: z.number(),
});
export type Restored = z.infer<typeof restored>;

type Server = Pick<Connection, 'exec'>;
const AN_HOUR = 60 * 60_000;

/**
 * Makes a backup on the database server, restored and compared there before it counts.
 *
 * @throws MigrationRefused when there is none with that proof: nothing is migrated then.
 */
export async function makeBackup(
  server: Server,
  database: string,
  onLine: (line: string) => void,
): Promise<Backup> {
  const { stdout } = await server
    .exec(['sudo', '-n', '/usr/local/sbin/compta-backup', database], {
      timeoutMs: AN_HOUR,
      onLine: (line) => {
        if (!line.startsWith('{')) onLine(line);
      },
    })
    .catch((cause: unknown) => {
      throw new MigrationRefused(
        `No backup of ${database} could be made, so nothing was changed.`,
        {
          cause,
        },
      );
    });
  return proofIn(stdout, database, 'compta-backup gave');
}

/**
 * A backup that was made before, by the proof that lies beside it.
 *
 * @throws MigrationRefused when it has none, is of another database, or is older than an hour.
 */
export async function backupAt(server: Server, database: string, path: string): Promise<Backup> {
  const proof = `${path}.json`;
  const { code, stdout } = await server.exec(
    ['sudo', '-n', 'find', proof, '-mmin', '-60', '-exec', 'cat', '{}', ';'],
    { allowFailure: true },
  );
  if (code === 0 && stdout === '') {
    throw new MigrationRefused(`${path} is older than an hour: make a new backup.`);
  }
  return proofIn(stdout, database, `${proof} holds`);
}

/** The newest backup with a proof below the directory of backups; `undefined` when there is none. */
export async function newestBackup(
  server: Server,
  directory: string,
  database: string,
): Promise<Backup | undefined> {
  const script = `newest=$(find "$1" -maxdepth 1 -name '*.dump.json' 2>/dev/null | sort | tail -n 1)
[ -z "$newest" ] || cat "$newest"`;
  const folder = `${directory}/${database}`;
  const { stdout } = await server.exec(['sudo', '-n', 'sh', '-c', script, 'newest', folder]);
  return stdout.trim() === '' ? undefined : proofIn(stdout, database, `${folder} holds`);
}

/** What compta-restore finds at the remote, instead of by a path on the server. */
export const isAtRemote = (backup: string): boolean =>
  /^(?:latest|until=[\d:+TZ-]+|(?:moments\/)?[a-z_][a-z0-9_]*-\d{8}T\d{6}Z)$/.test(backup);

/**
 * Restores a backup by compta-restore, which checks it against its proof.
 *
 * @param backup its path on the server, or what `isAtRemote`.
 * @param target a database that does not exist, or with `replace` the one that is set aside.
 * @param identity what opens a backup of the remote; it goes by standard input and stays nowhere.
 */
export async function restoreBackup(
  server: Server,
  backup: string,
  target: string,
  { replace = false, identity = '' },
  onLine: (line: string) => void,
): Promise<Restored> {
  const confirmation = replace ? [`--replace=${target}`] : [];
  const { stdout } = await server.exec(
    ['sudo', '-n', '/usr/local/sbin/compta-restore', backup, target, ...confirmation],
    {
      input: identity,
      timeoutMs: AN_HOUR,
      onLine: (line) => {
        if (!line.startsWith('{')) onLine(line);
      },
    },
  );
  return restored.parse(JSON.parse(lastLine(stdout)));
}

function proofIn(text: string, database: string, who: string): Backup {
  try {
    const found = backup.parse(JSON.parse(lastLine(text)));
    if (found.database !== database) throw new Error(`It is of ${found.database}.`);
    return found;
  } catch (cause) {
    throw new MigrationRefused(
      `${who} no proof of a backup of ${database}, so nothing was changed.`,
      { cause },
    );
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
