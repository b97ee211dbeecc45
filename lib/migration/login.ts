import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Database } from './database.ts';

export interface Login {
  user: string;
  password: string;
}

/**
 * As long as a job on GitHub may last, for the backup and the rehearsal come first, and each script opens
 * a session of its own; over in the end, so that a killed run leaves nothing that opens.
 */
const VALID_FOR = '6 hours';

/**
 * A login for this run alone, member of the owner's role; no password is stored anywhere.
 * The server only ever sees its SCRAM verifier, so that not even its log can show it.
 */
export async function createLogin(database: Database, owner: string): Promise<Login> {
  const user = `compta_migration_${randomBytes(4).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  await database.query(
    'postgres',
    [
      `DO $$ BEGIN EXECUTE format('CREATE ROLE "${user}" LOGIN PASSWORD %L VALID UNTIL %L',`,
      `  '${scramVerifier(password)}', now() + interval '${VALID_FOR}'); END $$;`,
      `GRANT "${owner}" TO "${user}";`,
      // What fails is told to the run, without rows; the server's log would show them.
      `ALTER ROLE "${user}" SET log_min_messages = fatal;`,
    ].join('\n'),
  );
  return { user, password };
}

export async function dropLogin(database: Database, { user }: Pick<Login, 'user'>): Promise<void> {
  // Its locks are gone once the session is, for which we wait.
  await database.query(
    'postgres',
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '${user}';
     DROP ROLE IF EXISTS "${user}";`,
  );
}

/**
 * Ends what runs that were killed have left: logins that are over, and with `alone` every other
 * login for the owner's schema too, as nobody but us migrates it now.
 *
 * @returns the logins that were still there.
 */
export async function dropDeadLogins(
  database: Database,
  owner: string,
  alone: boolean,
): Promise<string[]> {
  const rows = await database.query(
    'postgres',
    `SELECT rolname FROM pg_roles WHERE rolname LIKE 'compta\\_migration\\_%'
       AND (rolvaliduntil < now() OR (${alone} AND pg_has_role(oid, '${owner}', 'MEMBER')));`,
  );
  const dead = rows.flat();
  for (const user of dead) await dropLogin(database, { user });
  return dead;
}

/** What PostgreSQL stores for a password (RFC 5803), with its default of 4096 iterations. */
export function scramVerifier(password: string, salt = randomBytes(16)): string {
  const iterations = 4096;
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(hmac('Client Key')).digest('base64');
  const server = hmac('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
}
