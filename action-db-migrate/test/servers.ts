import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { keyPair } from '../../lib/ssh/key-pair.ts';
import { startServer, type TestServer } from '../../lib/ssh/test/server.ts';
import type { Postgres } from './postgres.ts';

/** A bastion, a database server around a PostgreSQL, and two application servers, over SSH. */
export interface Servers {
  privateKey: string;
  /** File as `terraform output -json` writes it. */
  outputs: string;
  /** Where the database server keeps its backups. */
  backups: string;
  /** What an application server has: its current release, and the one before it. */
  releases: (host: string, current: string, before?: string) => void;
  /** What a container's readiness answers on every application server. */
  readiness: (status: number) => void;
  /** A file below /opt/compta of an application server; '' when there is none. */
  file: (host: string, name: string) => string;
  close: () => Promise<void>;
}

/** The PostgreSQL that the database server has. */
type Server = Pick<Postgres, 'port' | 'program' | 'socket'>;

export const SERVICE = 'books-service';
const APPLICATIONS = ['app-1', 'app-2'];

/** @param scripts folder with the postgresql role's scripts; else stand-ins that promise the same. */
export async function startServers(postgres: Server, scripts?: string): Promise<Servers> {
  const root = mkdtempSync(join(tmpdir(), 'compta-servers-'));
  const loopback = `127.89.${(process.pid % 250) + 1}`;
  const user = keyPair();
  const backups = join(root, 'backups');
  mkdirSync(backups);
  const bastion = await startServer(user.public, { address: `${loopback}.2` });
  const at = (last: number, shell: string[], env: NodeJS.ProcessEnv) =>
    startServer(user.public, { address: `${loopback}.${last}`, port: bastion.port, shell, env });
  const started: [string, string, TestServer][] = [
    ['bastion-1', `${loopback}.2`, bastion],
    [
      'db-1',
      `${loopback}.3`,
      await at(3, ['sh', '-c'], databaseServer(root, postgres, backups, scripts)),
    ],
  ];
  mkdirSync('/opt/compta', { recursive: true });
  for (const [index, name] of APPLICATIONS.entries()) {
    const { shell, env } = applicationServer(root, name);
    started.push([name, `${loopback}.${11 + index}`, await at(11 + index, shell, env)]);
  }
  const outputs = join(root, 'outputs.json');
  writeFileSync(outputs, JSON.stringify(terraform(started, bastion.port)));
  const folder = (host: string) => join(root, host, 'compta');
  return {
    ...{ privateKey: user.private, outputs, backups },
    releases: (host, current, before) => release(folder(host), join(root, host), current, before),
    readiness: (status) => writeFileSync(join(root, 'readiness'), String(status)),
    file: (host, name) => {
      try {
        return readFileSync(join(folder(host), name), 'utf8');
      } catch {
        return '';
      }
    },
    async close() {
      for (const [, , server] of started) await server.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** What sudo leads to is this PostgreSQL. */
function databaseServer(
  root: string,
  postgres: Server,
  backups: string,
  scripts?: string,
): NodeJS.ProcessEnv {
  const bin = join(root, 'db-bin');
  mkdirSync(bin);
  const program = (name: string, text: string) => {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  };
  program(
    'sudo',
    `#!/bin/sh
while :; do case $1 in -n) shift ;; -u) shift 2 ;; *) break ;; esac; done
program=\${1#/usr/local/sbin/}
shift
exec "$program" "$@"
`,
  );
  program('psql', `#!/bin/sh\nexec ${postgres.program('psql')} "$@"\n`);
  if (scripts === undefined) {
    program('compta-backup', BACKUP);
    program('compta-restore', RESTORE);
  }
  return {
    ...process.env,
    PATH: [bin, scripts ?? '', process.env.PATH].filter(Boolean).join(delimiter),
    BACKUPS: backups,
    PGBIN: join(postgres.program('psql'), '..'),
    PGPORT: String(postgres.port),
    PGHOST: postgres.socket,
    PGUSER: 'postgres',
  };
}

/**
 * What the postgresql role's scripts promise (its own tests hold them to it), without encryption and
 * comparison: a dump, a line of JSON, and the same beside the dump.
 */
const BACKUP = `#!/bin/bash
set -euo pipefail
path="$BACKUPS/$1/$1-$(date --utc +%Y%m%dT%H%M%S.%NZ).dump"
mkdir -p "$BACKUPS/$1"
"$PGBIN/pg_dump" --format=custom --file="$path" "$1"
tables=$("$PGBIN/psql" -XAtq --dbname="$1" <<'SQL' | paste --serial --delimiters=,
SELECT format('SELECT to_json(%L::text)::text || '':'' || count(*) FROM %I.%I', schemaname || '.' || tablename, schemaname, tablename)
FROM pg_tables WHERE schemaname = 'public' \\gexec
SQL
)
printf '{"database":"%s","path":"%s","bytes":1,"sha256":"%s","proof":"restored-and-compared","tables":%s,"seconds":1}\\n' \\
    "$1" "$path" "$(sha256sum "$path" | cut -d' ' -f1)" "{$tables}" | tee "$path.json"
`;
const RESTORE = `#!/bin/bash
set -euo pipefail
previous=null path=$1
if [[ $1 == latest ]]; then
    grep --quiet '^AGE-SECRET-KEY-1'
    path=$(ls "$BACKUPS/$2"/*.dump | tail -n 1)
fi
"$PGBIN/createdb" --template=template0 "$2_aside"
"$PGBIN/pg_restore" --exit-on-error --dbname="$2_aside" "$path"
if [[ \${3:-} == "--replace=$2" ]]; then
    "$PGBIN/psql" -Xq --dbname=postgres -c "ALTER DATABASE $2 RENAME TO $2_before"
    previous="\\"$2_before\\""
fi
"$PGBIN/psql" -Xq --dbname=postgres -c "ALTER DATABASE $2_aside RENAME TO $2"
printf '{"database":"%s","restored":"%s","previous":%s,"seconds":1}\\n' "$2" "$(basename "$path" .dump)" "$previous"
`;

/** Each command sees an /opt/compta of its own; Docker and curl answer what the test has set. */
function applicationServer(
  root: string,
  name: string,
): { shell: string[]; env: NodeJS.ProcessEnv } {
  const home = join(root, name);
  const bin = join(home, 'bin');
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(home, 'compta'));
  const program = (command: string, text: string) => {
    writeFileSync(join(bin, command), `#!/bin/sh\n${text}`);
    chmodSync(join(bin, command), 0o755);
  };
  program('sudo', '[ "$1" = -n ] && shift\nexec "$@"\n');
  program(
    'docker',
    `[ -f ${home}/containers.json ] || exit 0
case $1 in ps) echo container ;; inspect) cat ${home}/containers.json ;; esac
`,
  );
  program('curl', `printf '\\n%s' "$(cat ${root}/readiness 2>/dev/null || echo 200)"\n`);
  const own = `mount --bind ${home}/compta /opt/compta && exec sh -c "$1"`;
  return {
    shell: ['unshare', '-m', 'sh', '-c', own, 'own'],
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  };
}

function terraform(servers: readonly [string, string, TestServer][], port: number): object {
  const role = (name: string) =>
    ({ b: 'bastion', d: 'database', a: 'application' })[name.slice(0, 1)];
  return {
    environment: { value: 'staging' },
    bastion: { value: 'bastion-1' },
    network_cidr: { value: '10.0.0.0/16' },
    load_balancer: { value: { public_ip: '203.0.113.1', private_ip: '10.0.1.5' } },
    ssh: { value: { user: 'deploy', port } },
    servers: {
      value: Object.fromEntries(
        servers.map(([name, address, server]) => [
          name,
          {
            role: role(name),
            private_ip: address,
            public_ip: name === 'bastion-1' ? address : null,
            host_key: server.knownHosts(address).trim().split(' ').slice(1, 3).join(' '),
            volume_device: null,
          },
        ]),
      ),
    },
  };
}

function release(folder: string, home: string, current: string, before = ''): void {
  const manifest = (version: string) => {
    const component = { image: `r/x@sha256:${'0'.repeat(64)}`, version, config: 'c' };
    return JSON.stringify({
      ...{ release: `r-${version}`, version, environment: 'staging' },
      ...{ services: { [SERVICE]: component }, order: [SERVICE], versionPaths: {} },
      ...{ edge: { image: '', config: '' }, createdAt: '2026-01-01T00:00:00Z' },
    });
  };
  for (const version of [current, before].filter(Boolean)) {
    mkdirSync(join(folder, 'releases', `r-${version}`), { recursive: true });
    writeFileSync(join(folder, 'releases', `r-${version}`, 'manifest.json'), manifest(version));
  }
  mkdirSync(join(folder, 'current'), { recursive: true });
  writeFileSync(join(folder, 'current', 'manifest.json'), manifest(current));
  const entry = {
    ...{ at: '2026-01-01T00:00:00Z', action: 'deploy', release: `r-${current}`, version: current },
    ...{ previous: before && `r-${before}`, by: 'test', run: '', seconds: 1 },
  };
  writeFileSync(join(folder, 'history.jsonl'), `${JSON.stringify(entry)}\n`);
  const labels = {
    'compta.service': SERVICE,
    'compta.slot': 'a',
    'compta.version': current,
    'compta.image': '',
  };
  const container = {
    ...{ Id: 'container', Config: { Labels: labels } },
    State: { Running: true, StartedAt: '', Health: { Status: 'healthy' } },
    NetworkSettings: { Networks: {} },
  };
  writeFileSync(join(home, 'containers.json'), JSON.stringify([container]));
}
