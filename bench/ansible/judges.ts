import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { portsOf } from '../../infra/ansible/ports.ts';
import { lynis, openPorts, sshAudit } from '../../infra/ansible/test/judges.ts';
import { play } from '../../infra/ansible/test/playbook.ts';
import {
  orderServers,
  PRODUCTION_SERVERS,
  type Servers,
} from '../../infra/ansible/test/servers.ts';
import { checkout } from '../../local-cloud/claim.ts';
import { atLeast, atMost, type Figures } from '../measurement.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { NOBODY } from './production.ts';

/** Not that of the roles' own test, which may run beside it. */
const NUMBER = 13;
const LEAST_INDEX = 86;

export const judges: Scenario = {
  shows:
    "Lynis, ssh-audit and a scan of all ports, from inside and outside, on production's servers",
  async run(_, print) {
    print('ordering the servers …');
    const servers = await orderServers(NUMBER, PRODUCTION_SERVERS);
    Object.assign(servers.variables, NOBODY);
    try {
      print('configuring the servers …');
      assert.deepEqual((await play(servers, 'site.yml')).errors, []);
      const file = join(checkout, 'infra/ansible/test/exceptions.yml');
      const exceptions = parse(readFileSync(file, 'utf8')) as Exceptions;
      const figures = await hardening(servers, exceptions, print);
      figures.ports = await ports(servers, print);
      // Last: fail2ban takes its many half connections for what they are, and bans this machine.
      figures['ssh-audit'] = await ssh(servers, exceptions, print);
      return figures;
    } finally {
      await servers.remove();
    }
  },
};

type Exceptions = Record<'lynis' | 'ssh-audit', Record<string, string>>;

async function ssh(
  servers: Servers,
  { 'ssh-audit': reasons }: Exceptions,
  print: (line: string) => void,
): Promise<Figures> {
  const { bastion, servers: all } = servers.inventory;
  print(`${bastion.name} by ssh-audit, from outside …`);
  const heard = await sshAudit(servers, 'outside', bastion.publicIp);
  for (const { name, privateIp } of all) {
    print(`${name} by ssh-audit …`);
    heard.push(...(await sshAudit(servers, bastion.name, privateIp)));
  }
  return held('ssh-audit', heard, reasons, print);
}

async function hardening(
  servers: Servers,
  { lynis: reasons }: Exceptions,
  print: (line: string) => void,
): Promise<Figures> {
  const figures: Figures = {};
  const heard: string[] = [];
  for (const { name } of servers.inventory.servers) {
    print(`${name} by Lynis …`);
    const { index, tests, warnings, suggestions } = await lynis(servers, name);
    print(`${name}: ${index} of 100 by ${tests} tests, ${suggestions.length} suggestions`);
    for (const warning of warnings) print(`${name}: Lynis warns: ${warning}`);
    heard.push(...suggestions);
    figures[name] = {
      hardeningIndex: atLeast(LEAST_INDEX, index, 'of 100'),
      warnings: atMost(0, warnings.length, 'warnings'),
      tests,
      suggestions: suggestions.length,
    };
  }
  return { ...figures, lynis: held('Lynis', heard, reasons, print) };
}

/** Whatever a judge says has its reason, and no reason is left over from before. */
function held(
  judge: string,
  heard: readonly string[],
  reasons: Record<string, string>,
  print: (line: string) => void,
): Figures {
  const unexplained = [...new Set(heard)].filter((finding) => !(finding in reasons));
  const stale = Object.keys(reasons).filter((finding) => !heard.includes(finding));
  for (const finding of unexplained) print(`${judge}: no reason in exceptions.yml for ${finding}`);
  for (const finding of stale) print(`${judge} no longer says ${finding}: take its reason out`);
  return {
    withoutReason: atMost(0, unexplained.length, 'findings'),
    reasonsLeftOver: atMost(0, stale.length, 'reasons'),
  };
}

async function ports(servers: Servers, print: (line: string) => void): Promise<Figures> {
  const { bastion, servers: all } = servers.inventory;
  const beyond = { private: 0, public: 0, publicWithoutCloudFirewall: 0 };
  let unreached = 0;
  const look = async (
    kind: keyof typeof beyond,
    from: string,
    name: string,
    address: string,
    allowed: readonly number[],
  ) => {
    print(`${name} by a scan of its ports, ${kind} …`);
    const found = await openPorts(servers, from, address);
    assert.ok(found.length > 0 || allowed.length === 0, `${name}, ${kind}: nothing answers at all`);
    const more = found.filter((port) => !allowed.includes(port));
    if (more.length > 0) print(`${name}, ${kind}: open, but not in ports.yml: ${more.join(', ')}`);
    beyond[kind] += more.length;
  };
  /** A server that is not the one that is looked at. */
  const besides = (name: string) =>
    name === bastion.name ? (all.find((one) => one.name !== name)?.name ?? '') : bastion.name;
  for (const { name, role, privateIp } of all) {
    await look('private', besides(name), name, privateIp, portsOf(role, 'private'));
  }
  for (const kind of ['public', 'publicWithoutCloudFirewall'] as const) {
    const open = kind === 'publicWithoutCloudFirewall';
    if (open) await servers.openFirewall();
    for (const { name, role, publicIp } of all) {
      if (!publicIp) continue;
      await look(kind, 'outside', name, publicIp, portsOf(role, 'public'));
      // That nothing is open says something only of an address that packets get to.
      const ping = ['ping', '-c1', '-W5', publicIp];
      if (!open || (await answers(servers.console(besides(name), ping)))) continue;
      print(`${name}: its public address does not answer a ping`);
      unreached += 1;
    }
  }
  return {
    ...Object.fromEntries(
      Object.entries(beyond).map(([kind, count]) => [
        kind,
        atMost(0, count, 'ports beyond the table'),
      ]),
    ),
    unreached: atMost(0, unreached, 'public addresses'),
  };
}

const answers = (question: Promise<unknown>) =>
  question.then(
    () => true,
    () => false,
  );
