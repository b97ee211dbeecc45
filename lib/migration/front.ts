import { connect } from 'node:net';
import { MigrationRefused } from './refused.ts';

/** A greeting in a version of the protocol (4.0) that nobody speaks: 8 bytes, no login, no name. */
const GREETING = Buffer.from([0, 0, 0, 8, 0, 4, 0, 0]);

/**
 * Makes sure that PostgreSQL itself answers, and no pooler in front of it: Flyway's locks need a
 * session of their own. Both refuse the greeting; only PostgreSQL's error names the routine in its
 * source that refused (field R), whatever its settings, and before any login.
 *
 * @throws MigrationRefused when something else answers, or nothing.
 */
export async function assertPostgres(port: number, shown: number): Promise<void> {
  const answer = await greet(port);
  const fields = new Map(
    answer.length > 5 && answer.toString('latin1', 0, 1) === 'E'
      ? answer
          .toString('utf8', 5)
          .split('\0')
          .filter(Boolean)
          .map((field) => [field.slice(0, 1), field.slice(1)] as const)
      : [],
  );
  if (fields.has('R')) return;
  const says = fields.get('M');
  throw new MigrationRefused(
    answer.length === 0
      ? `Nothing that speaks PostgreSQL's protocol answers at port ${shown} of the database server.`
      : `What answers at port ${shown} is not PostgreSQL itself but a pooler such as PgBouncer` +
          `${says ? ` (it says "${says}")` : ''}: Flyway's locks need a session of their own, so ` +
          "give PostgreSQL's port (5432).",
  );
}

function greet(port: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks)));
    socket.on('connect', () => socket.write(GREETING));
  });
}
