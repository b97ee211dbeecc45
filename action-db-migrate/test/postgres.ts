import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../lib/migration/database.ts';
import { run } from '../../lib/process/run.ts';

/** A PostgreSQL 16 of our own; passwords are asked for over TCP, not on its socket. */
export interface Postgres {
  port: number;
  /** Where its programs are unpacked, and the folder with its socket. */
  program: (name: string) => string;
  socket: string;
  /** As the superuser over the socket. */
  database: Database;
  /** What a query answers to a login over TCP. */
  ask(login: { user: string; password: string }, sql: string): Promise<string>;
  stop(): void;
}

export const NOBODY = 65534;

/** Unpacked from the cached packages, and run by `nobody`, as it refuses root. */
export function startPostgres(port: number): Postgres {
  const folder = mkdtempSync(join(tmpdir(), 'compta-postgres-'));
  chmodSync(folder, 0o755);
  for (const name of ['postgresql-16', 'postgresql-client-16']) unpack(name, folder);
  const program = (name: string) => join(folder, 'usr/lib/postgresql/16/bin', name);
  const home = join(folder, 'home');
  mkdirSync(home);
  chownSync(home, NOBODY, NOBODY);
  const asNobody = (name: string, ...args: string[]) =>
    execFileSync(program(name), ['-D', join(home, 'data'), ...args], {
      uid: NOBODY,
      gid: NOBODY,
      cwd: home,
      stdio: 'ignore',
    });
  asNobody('initdb', '-U', 'postgres', '-N', '--auth-local=trust', '--auth-host=scram-sha-256');
  asNobody('pg_ctl', 'start', '-w', '-l', 'log', '-o', `-p ${port} -k ${home} -h 127.0.0.1 -F`);

  const database = new Database(
    {
      exec: async ([, , , , , ...args], { input } = {}) => ({
        code: 0,
        ...(await run([program('psql'), `--host=${home}`, '--username=postgres', ...args], {
          input: input ?? '',
        })),
      }),
      converse: () => Promise.reject(new Error('There is no conversation without a server.')),
    },
    port,
  );
  return {
    ...{ port, program, socket: home, database },
    async ask({ user, password }, sql) {
      const address = `--dbname=host=127.0.0.1 port=${port} dbname=postgres`;
      const { stdout } = await run([program('psql'), '-XAtq', address, `--username=${user}`], {
        env: { ...process.env, PGPASSWORD: password },
        input: sql,
      });
      return stdout.trim();
    },
    stop() {
      asNobody('pg_ctl', 'stop', '-m', 'immediate');
      rmSync(folder, { recursive: true });
    },
  };
}

/** Unpacks a package that tools/install keeps. */
export function unpack(name: string, target: string): void {
  const pool = join(process.env.COMPTA_CACHE ?? '', 'apt-repo', 'pool');
  const found = readdirSync(pool).find((entry) => entry.startsWith(`${name}_`));
  if (!found) throw new Error(`${pool} lacks ${name}: run tools/install.`);
  execFileSync('dpkg', ['-x', join(pool, found), target]);
}
