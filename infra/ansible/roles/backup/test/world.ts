import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A database server with the scripts of the roles as Ansible renders them, and a remote beside it. */
export interface World {
  folder: string;
  /** Path below the world's folder. */
  at(...parts: string[]): string;
  /** The identity that opens the backups of this world. */
  identity: string;
  /** The one that lies offline, and opens them as well. */
  offline: string;
  /** Runs a script of the roles as root would, the identity on standard input when it is wanted. */
  script(name: string, args?: string[], options?: Options): Result;
  /** The same without waiting; the process leads a group of its own. */
  start(name: string, args?: string[], options?: Options): ReturnType<typeof spawn>;
  /** Sets variables of the scripts' configuration until the returned function is called. */
  configure(settings: Record<string, string>): () => void;
  sql(database: string, text: string): string;
  /** A program in front of the real one, by name: shell text that ends in `exec "$real" "$@"`. */
  wrap(program: string, text: string): Options;
  stop(): void;
}

export interface Options {
  input?: string;
  env?: Record<string, string>;
}

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
  /** The last line of standard output as JSON. */
  json: Record<string, unknown>;
}

const NOBODY = 65534;
const roles = join(import.meta.dirname, '..', '..');

/**
 * @param prefix of its folder's name, below the one for temporary files.
 * @param disk size of a disk of the server's own, as mount reads it; else it has this machine's.
 * @param port of its socket, and of an address that `settings` may give it.
 * @throws Error when the tools are not installed: run it with tools/run.
 */
export function makeWorld({
  settings = '',
  disk = '',
  port = 5432,
  prefix = 'compta-backup-',
} = {}): World {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const at = (...parts: string[]) => join(folder, ...parts);
  chmodSync(folder, 0o755);
  for (const name of ['home', 'backups', 'wal', 'restore', 'remote', 'metrics']) {
    mkdirSync(at(name));
    chownSync(at(name), NOBODY, NOBODY);
  }
  if (disk) mountDisk(at('home'), disk);
  unpackPostgres(at('postgresql'));
  const identities = [1, 2].map(() =>
    execFileSync('age-keygen', { stdio: 'pipe', encoding: 'utf8' }),
  );
  render(
    folder,
    identities.map((text) => /age1\w+/.exec(text)?.[0] ?? ''),
    port,
  );
  chmodSync(at('etc/backup.conf'), 0o644);

  const bin = at('postgresql/usr/lib/postgresql/16/bin');
  const asNobody = (name: string, ...args: string[]) =>
    execFileSync(join(bin, name), args, {
      uid: NOBODY,
      gid: NOBODY,
      cwd: at('home'),
      stdio: 'ignore',
    });
  asNobody(
    'initdb',
    '-D',
    at('home/data'),
    '-U',
    'postgres',
    '-N',
    '-A',
    'trust',
    '--locale=C.UTF-8',
    '-k',
  );
  writeFileSync(
    at('home/data/postgresql.auto.conf'),
    `listen_addresses = ''
port = ${port}
unix_socket_directories = '${at('home')}'
fsync = off
archive_mode = on
archive_command = '${at('sbin/compta-archive-wal')} %p %f'
track_commit_timestamp = on
${settings}
`,
  );
  asNobody('pg_ctl', 'start', '-w', '-D', at('home/data'), '-l', at('home/log'));

  const environment = (env: Options['env'] = {}) => ({
    PATH: process.env.PATH,
    HOME: '/nonexistent',
    ...env,
  });
  let wrappers = 0;
  return {
    folder,
    at,
    identity: identities[0] ?? '',
    offline: identities[1] ?? '',
    script(name, args = [], { input = '', env } = {}) {
      const done = spawnSync(at('sbin', name), args, {
        input,
        env: environment(env),
        encoding: 'utf8',
      });
      return result(done);
    },
    start(name, args = [], { input = '', env } = {}) {
      const child = spawn(at('sbin', name), args, {
        env: environment(env),
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      child.stdin.on('error', () => {}); // it may end without having read it
      child.stdin.end(input);
      return child;
    },
    configure(settings) {
      const before = readFileSync(at('etc/backup.conf'), 'utf8');
      const lines = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`);
      writeFileSync(at('etc/backup.conf'), before + lines.join(''));
      return () => writeFileSync(at('etc/backup.conf'), before);
    },
    sql(database, text) {
      const argv = [
        '-XAtq',
        '-v',
        'ON_ERROR_STOP=1',
        '-h',
        at('home'),
        '-p',
        String(port),
        '-U',
        'postgres',
        '-d',
        database,
      ];
      return execFileSync(join(bin, 'psql'), argv, { input: text, encoding: 'utf8' }).trim();
    },
    wrap(program, text) {
      wrappers += 1;
      const real = readdirSync(bin).includes(program)
        ? join(bin, program)
        : execFileSync('which', [program], { encoding: 'utf8' }).trim();
      mkdirSync(at(`wrappers-${wrappers}`));
      writeFileSync(at(`wrappers-${wrappers}`, program), `#!/bin/bash\nreal=${real}\n${text}\n`, {
        mode: 0o755,
      });
      return { env: { PATH: `${at(`wrappers-${wrappers}`)}:${process.env.PATH}` } };
    },
    stop() {
      asNobody('pg_ctl', 'stop', '-m', 'immediate', '-D', at('home/data'));
      // An archiver that was at work ends a moment after its server.
      if (disk) execFileSync('umount', ['--lazy', at('home')]);
      rmSync(folder, { recursive: true, maxRetries: 10 });
    },
  };
}

/** Milliseconds. */
export const DAY = 86_400_000;

/**
 * How many days ago the ninth and the tenth of the month before last were: of one month whatever day it
 * is, past the daily backups and well within the monthly ones.
 */
export function twoDaysOfOneMonth(): [number, number] {
  const now = new Date();
  const tenth = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 2, 10);
  const ago = Math.floor((now.getTime() - tenth) / DAY);
  return [ago + 1, ago];
}

/** A disk of that size for the scripts' account. */
export function mountDisk(folder: string, size: string): void {
  const options = `size=${size},uid=${NOBODY},gid=${NOBODY},mode=0755`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
}

function result(done: SpawnSyncReturns<string>): Result {
  return {
    code: done.status,
    stdout: done.stdout,
    stderr: done.stderr,
    get json() {
      return JSON.parse(done.stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    },
  };
}

/** Puts PostgreSQL's packages, as servers get them, below a folder. */
function unpackPostgres(folder: string): void {
  const pool = join(process.env.COMPTA_CACHE ?? '', 'apt-repo', 'pool');
  for (const name of ['postgresql-16', 'postgresql-client-16']) {
    const found = readdirSync(pool).find((entry) => entry.startsWith(`${name}_`));
    if (!found) throw new Error(`${pool} lacks ${name}: run tools/install.`);
    execFileSync('dpkg', ['-x', join(pool, found), folder]);
  }
}

/** Renders the scripts and their configuration with the roles' own variables and Ansible's own templating. */
function render(folder: string, recipients: string[], port: number): void {
  const templates = {
    'backup/templates/library.sh.j2': 'lib/library.sh',
    'backup/templates/backup.conf.j2': 'etc/backup.conf',
    'backup/templates/backup.recipients.j2': 'etc/backup.recipients',
    'backup/templates/rclone.conf.j2': 'etc/rclone.conf',
    ...Object.fromEntries(
      ['base-backup', 'heartbeat', 'pitr', 'rotate-backups', 'verify-backup'].map((name) => [
        `backup/templates/${name}.sh.j2`,
        `sbin/compta-${name}`,
      ]),
    ),
    'postgresql/templates/backup.sh.j2': 'sbin/compta-backup',
    'postgresql/templates/restore.sh.j2': 'sbin/compta-restore',
    'postgresql/templates/archive_wal.sh.j2': 'sbin/compta-archive-wal',
    'postgresql/templates/maintenance.sh.j2': 'sbin/compta-postgresql-maintenance',
    'postgresql/templates/statistics.sh.j2': 'sbin/compta-postgresql-statistics',
  };
  for (const name of ['lib', 'etc', 'sbin']) mkdirSync(join(folder, name));
  cpSync(join(roles, 'backup/files'), join(folder, 'lib'), { recursive: true });
  const play = {
    hosts: 'localhost',
    connection: 'local',
    gather_facts: false,
    vars: { ansible_python_interpreter: '/usr/bin/python3' },
    vars_files: ['backup/defaults/main.yml', 'backup/vars/main.yml'].map((name) =>
      join(roles, name),
    ),
    tasks: [
      {
        'ansible.builtin.template': {
          src: '{{ item.key }}',
          dest: '{{ item.value }}',
          mode: '0755',
        },
        loop: Object.entries(templates).map(([source, target]) => ({
          key: join(roles, source),
          value: join(folder, target),
        })),
      },
    ],
  };
  const variables = {
    __backup_etc: join(folder, 'etc'),
    __backup_library: join(folder, 'lib'),
    __backup_postgresql_bin: join(folder, 'postgresql/usr/lib/postgresql/16/bin'),
    __postgresql_backup_library: join(folder, 'lib'),
    __postgresql_bin: join(folder, 'postgresql/usr/lib/postgresql/16/bin'),
    __postgresql_database_statement: join(folder, 'database.sql'),
    backup_account: 'nobody',
    backup_directory: join(folder, 'backups'),
    backup_archive_directory: join(folder, 'wal'),
    backup_restore_directory: join(folder, 'restore'),
    backup_textfile_directory: join(folder, 'metrics'),
    backup_postgresql_socket: join(folder, 'home'),
    backup_postgresql_port: port,
    backup_remote: join(folder, 'remote'),
    backup_recipients: recipients,
    backup_wait_seconds: 60,
    postgresql_databases: [{ name: 'compta_slow' }],
    postgresql_port: port,
    postgresql_reindex_min_mb: 64,
    postgresql_reindex_density: 50,
  };
  writeFileSync(join(folder, 'render.json'), JSON.stringify([play]));
  writeFileSync(join(folder, 'variables.json'), JSON.stringify(variables));
  const argv = [
    '-i',
    'localhost,',
    '-e',
    `@${join(folder, 'variables.json')}`,
    join(folder, 'render.json'),
  ];
  execFileSync('ansible-playbook', argv, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ANSIBLE_STDOUT_CALLBACK: 'minimal', ANSIBLE_LOCALHOST_WARNING: 'false' },
  });
}
