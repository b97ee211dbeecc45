import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Connection } from '../../lib/ssh/connection.ts';

/** The database server's own psql, as its superuser over the local socket; SQL by standard input. */
export class Database {
  readonly #server: Pick<Connection, 'exec'>;
  readonly #port: number;

  constructor(server: Pick<Connection, 'exec'>, port: number) {
    this.#server = server;
    this.#port = port;
  }

  /** Rows of one query, columns separated by tabs. */
  async query(database: string, sql: string): Promise<string[][]> {
    const { stdout } = await this.#server.exec(
      [
        'sudo',
        '-n',
        '-u',
        'postgres',
        'psql',
        '--no-psqlrc',
        '--quiet',
        '--tuples-only',
        '--no-align',
        '--field-separator=\t',
        '--set=ON_ERROR_STOP=1',
        `--port=${this.#port}`,
        `--dbname=${database}`,
      ],
      { input: sql },
    );
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'));
  }
}

export interface Login {
  user: string;
  password: string;
}

/** One hour: longer than any migration may take, so that a killed run leaves nothing that opens. */
const VALID_FOR = '1 hour';

/**
 * A login for this run alone, member of the owner's role; no password is stored anywhere.
 * The server only ever sees its SCRAM verifier, so that not even its log can show it.
 * Logins that a killed run left behind are dropped on the way.
 */
export async function createLogin(database: Database, owner: string): Promise<Login> {
  const user = `compta_migration_${randomBytes(4).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  const rows = await database.query(
    'postgres',
    `SELECT rolname FROM pg_roles WHERE rolname LIKE 'compta\\_migration\\_%' AND rolvaliduntil < now();`,
  );
  const expired = rows.map(([name]) => `DROP ROLE "${name}";`);
  await database.query(
    'postgres',
    [
      ...expired,
      `DO $$ BEGIN EXECUTE format('CREATE ROLE "${user}" LOGIN PASSWORD %L VALID UNTIL %L',`,
      `  '${scramVerifier(password)}', now() + interval '${VALID_FOR}'); END $$;`,
      `GRANT "${owner}" TO "${user}";`,
    ].join('\n'),
  );
  return { user, password };
}

export async function dropLogin(database: Database, { user }: Login): Promise<void> {
  await database.query(
    'postgres',
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${user}';
     DROP ROLE IF EXISTS "${user}";`,
  );
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

/** Indexes that a failed CREATE INDEX CONCURRENTLY left behind: they cost writes and help nobody. */
export async function invalidIndexes(database: Database, name: string): Promise<string[]> {
  const rows = await database.query(
    name,
    'SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1;',
  );
  return rows.map(([index]) => index ?? '');
}
