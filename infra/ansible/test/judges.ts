import { join } from 'node:path';
import { run } from '../../../lib/process/run.ts';
import type { Servers } from './servers.ts';

/** What Lynis says of a server. */
export interface Audit {
  /** 0 to 100. */
  index: number;
  tests: number;
  warnings: string[];
  /** `TEST-0000`, with the option's name where one test judges several: `SSH-7408:MaxSessions`. */
  suggestions: string[];
}

/** Debian's Lynis, put on the server for this and taken away again. */
export async function lynis(servers: Servers, server: string): Promise<Audit> {
  const text = await servers.console(server, [
    'sh',
    '-ec',
    `export DEBIAN_FRONTEND=noninteractive
    { apt-get --quiet --quiet update; apt-get --quiet --yes --no-install-recommends install lynis
    lynis audit system --quick --no-colors --cronjob || true; } > /var/log/lynis-run.log 2>&1
    cat /var/log/lynis-report.dat
    apt-get --quiet --quiet --yes purge lynis > /dev/null 2>&1`,
  ]);
  const values = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);
  const findings = (name: string) =>
    values(`${name}\\[\\]`).map((value) => {
      const [id = '', text = '', detail = ''] = value.split('|');
      const option = /^(\w+) \(set /.exec(detail)?.[1];
      return name === 'warning' ? `${id}: ${text}` : option ? `${id}:${option}` : id;
    });
  return {
    index: Number(values('hardening_index')[0]),
    tests: Number(values('lynis_tests_done')[0]),
    warnings: findings('warning'),
    suggestions: [...new Set(findings('suggestion'))].sort(),
  };
}

/** What ssh-audit warns of on a server, as seen from another one or from here: `kex name`. */
export async function sshAudit(servers: Servers, from: From, address: string): Promise<string[]> {
  // Its exit code tells warnings; `|| true` leaves them to be read.
  const audit = `ssh-audit --no-colors --level=warn --port=2222 ${address} || true`;
  const printed = await seenFrom(servers, from, ['sh', '-c', audit]);
  if (!/^# /m.test(printed)) throw new Error(`ssh-audit did not reach ${address}: ${printed}`);
  const warned = printed.matchAll(/^\((\w+)\) (\S+) .*\[(?:warn|fail)\]/gm);
  return [...new Set([...warned].map(([, kind, name]) => `${kind} ${name}`))].sort();
}

/** Open TCP ports of an address, out of all of them, as seen from another server or from here. */
export async function openPorts(servers: Servers, from: From, address: string): Promise<number[]> {
  const argv = ['python3', join(import.meta.dirname, 'scan.py'), address];
  const printed = await seenFrom(servers, from, argv);
  return printed.split('\n').filter(Boolean).map(Number);
}

/** Name of a server, or `outside`. */
type From = string;

async function seenFrom(servers: Servers, from: From, argv: string[]): Promise<string> {
  return from === 'outside' ? (await run(argv)).stdout : servers.inNetworkOf(from, argv);
}
