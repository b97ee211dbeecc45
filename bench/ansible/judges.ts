import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { portsOf } from '../../infra/ansible/ports.ts';
import { lynis, openPorts, sshAudit } from '../../infra/ansible/test/judges.ts';
import { play } from '../../infra/ansible/test/playbook.ts';
import { orderServers, type Servers, STAGING_SERVERS } from '../../infra/ansible/test/servers.ts';
import { checkout } from '../../local-cloud/claim.ts';
import { atLeast, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';

/** Not that of the roles' own test, which may run beside it. */
const NUMBER = 13;
const LEAST_INDEX = 86;

export const judges: Scenario = {
  shows: 'Lynis, ssh-audit and a scan of all ports, from inside and outside, on every server',
  async run(_, print) {
    const servers = await orderServers(NUMBER, STAGING_SERVERS);
    try {
      print('configuring the servers …');
      assert.deepEqual((await play(servers, 'site.yml')).errors, []);
      const file = join(checkout, 'infra/ansible/test/exceptions.yml');
      const exceptions = parse(readFileSync(file, 'utf8')) as Exceptions;
      const audits = await holdHardening(servers, exceptions, print);
      await holdPorts(servers, print);
      // Last: fail2ban takes its many half connections for what they are, and bans this machine.
      await holdSsh(servers, exceptions);
      return audits;
    } finally {
      await servers.remove();
    }
  },
};

type Exceptions = Record<'lynis' | 'ssh-audit', Record<string, string>>;

async function holdSsh(servers: Servers, { 'ssh-audit': reasons }: Exceptions): Promise<void> {
  const { bastion, servers: all } = servers.inventory;
  const heard = await sshAudit(servers, 'outside', bastion.publicIp);
  for (const { privateIp } of all) {
    heard.push(...(await sshAudit(servers, bastion.name, privateIp)));
  }
  explained('ssh-audit', heard, reasons);
}

async function holdHardening(
  servers: Servers,
  { lynis: reasons }: Exceptions,
  print: (line: string) => void,
): Promise<Figures> {
  const figures: Figures = {};
  const heard: string[] = [];
  for (const { name } of servers.inventory.servers) {
    const { index, tests, warnings, suggestions } = await lynis(servers, name);
    print(`${name}: ${index} of 100 by ${tests} tests, ${suggestions.length} suggestions`);
    assert.deepEqual(warnings, [], name);
    heard.push(...suggestions);
    figures[name] = {
      hardeningIndex: atLeast(LEAST_INDEX, index, 'of 100'),
      tests,
      suggestions: suggestions.length,
    };
  }
  explained('lynis', heard, reasons);
  return figures;
}

/** Whatever a judge says has its reason, and no reason is left over from before. */
function explained(judge: string, heard: readonly string[], reasons: Record<string, string>): void {
  const unexplained = heard.filter((finding) => !(finding in reasons));
  assert.deepEqual(unexplained, [], `${judge} says what exceptions.yml has no reason for`);
  const stale = Object.keys(reasons).filter((finding) => !heard.includes(finding));
  assert.deepEqual(stale, [], `${judge} no longer says it: take it out of exceptions.yml`);
}

async function holdPorts(servers: Servers, print: (line: string) => void): Promise<void> {
  const { bastion, servers: all } = servers.inventory;
  for (const { name, role, privateIp } of all) {
    // From a server that is not the one that is looked at.
    const from =
      name === bastion.name ? (all.find((one) => one.name !== name)?.name ?? '') : bastion.name;
    within(await openPorts(servers, from, privateIp), portsOf(role, 'private'), `${name}, private`);
  }
  for (const opened of [false, true]) {
    if (opened) await servers.openFirewall();
    for (const { name, role, publicIp } of all) {
      const found = await openPorts(servers, 'outside', publicIp ?? '');
      within(found, portsOf(role, 'public'), `${name}, public, cloud's firewall off: ${opened}`);
    }
    print(`from outside, cloud's firewall ${opened ? 'off' : 'on'}: as in the table`);
  }
}

function within(found: readonly number[], allowed: readonly number[], where: string): void {
  const beyond = found.filter((port) => !allowed.includes(port));
  assert.deepEqual(beyond, [], `${where}: open, but not in ports.yml`);
  assert.ok(found.length > 0 || allowed.length === 0, `${where}: nothing answers at all`);
}
