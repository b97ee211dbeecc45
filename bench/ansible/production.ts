import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { portsOf } from '../../infra/ansible/ports.ts';
import { alterEveryManagedFile, unreported } from '../../infra/ansible/test/managed-files.ts';
import { play } from '../../infra/ansible/test/playbook.ts';
import {
  orderServers,
  PRODUCTION_SERVERS,
  type Servers,
} from '../../infra/ansible/test/servers.ts';
import { lookAtAll, reboot } from '../../infra/ansible/test/state.ts';
import { atLeast, atMost } from '../measurement.ts';
import { type Scenario, seconds } from '../scenarios/scenario.ts';

/** Not that of the roles' own test, which may run beside it. */
const NUMBER = 13;

/** The monitoring server refuses to watch for nobody. No message gets there. */
export const NOBODY = { vault_slack_webhook_url: 'http://127.0.0.1:9/nobody' };

/** The playbooks that are parts of site.yml. */
const PARTS = ['base', 'database', 'application', 'monitoring'].map((part) => `setup-${part}.yml`);

export const production: Scenario = {
  shows:
    "as many servers as production has and the load balancer, with staging's settings, from bare to watched: check mode, site.yml, altered files, reboots, nothing to do",
  async run(_, print) {
    print('ordering the servers …');
    const servers = await orderServers(NUMBER, PRODUCTION_SERVERS);
    Object.assign(servers.variables, NOBODY);
    try {
      for (const name of PRODUCTION_SERVERS) {
        await servers.console(name, ['cloud-init', 'status', '--wait']);
      }
      print('check mode on bare servers …');
      const bare = await lookAtAll(servers, 'settings');
      assert.deepEqual((await play(servers, 'site.yml', { mode: 'check' })).errors, []);
      assert.deepEqual(await lookAtAll(servers, 'settings'), bare, 'check mode changes nothing');

      print('configuring the servers …');
      const begun = Date.now();
      const first = await play(servers, 'site.yml');
      assert.deepEqual(first.errors, []);
      const configuredSeconds = seconds(Date.now() - begun);
      const settings = await lookAtAll(servers, 'settings');

      print('altering every managed file, and check mode …');
      const altered = await alterEveryManagedFile(servers, first);
      const checked = await play(servers, 'site.yml', { mode: 'check' });
      assert.deepEqual(checked.errors, []);
      const missed = unreported(altered, checked);
      print('repairing them …');
      assert.deepEqual((await play(servers, 'site.yml')).errors, []);
      assert.deepEqual(await lookAtAll(servers, 'settings'), settings, 'all is as it was');

      const drift: string[] = [];
      for (const playbook of PARTS) {
        print(`check mode of ${playbook} …`);
        const { errors, results } = await play(servers, playbook, { mode: 'check' });
        assert.deepEqual(errors, [], playbook);
        const changed = results.filter((result) => result.changed);
        drift.push(...changed.map(({ host, task }) => `${playbook} on ${host}: ${task}`));
      }

      print('check mode of maintenance.yml …');
      const upkeep = { mode: 'check', tags: 'logs,cleanup' };
      assert.deepEqual((await play(servers, 'maintenance.yml', upkeep)).errors, []);

      print('rebooting each …');
      const running = await lookAtAll(servers, 'running');
      await Promise.all(PRODUCTION_SERVERS.map((name) => reboot(servers, name)));
      assert.deepEqual(await lookAtAll(servers, 'running'), running, 'every service is back');

      print('a second run …');
      const { errors, changed } = await play(servers, 'site.yml');
      assert.deepEqual(errors, []);
      assert.deepEqual(await lookAtAll(servers, 'settings'), settings, 'nothing was touched');

      const failed = Object.values(await lookAtAll(servers, 'failed')).flat();
      const listening = await lookAtAll(servers, 'listening');
      const beyond = servers.inventory.servers.flatMap(({ name, role }) => {
        const allowed = portsOf(role).map((port) => `tcp ${port}`);
        const open = (listening[name] ?? []).map((line) => line.replace(/ .*:/, ' '));
        return open.filter((one) => !allowed.includes(one)).map((one) => `${name}: ${one}`);
      });
      const most = Math.max(...PRODUCTION_SERVERS.map((name) => changed[name] ?? Number.NaN));
      for (const line of [...missed, ...drift, ...failed, ...beyond]) print(line);

      print('asking them through the load balancer …');
      const balanced = await behindTheBalancer(servers);
      return {
        servers: PRODUCTION_SERVERS.length,
        configuredSeconds,
        altered: atLeast(100, altered.length, 'files'),
        unreported: atMost(0, missed.length, 'files'),
        drift: atMost(0, drift.length, 'tasks'),
        secondRunChanged: atMost(0, most, 'tasks'),
        failedUnits: atMost(0, failed.length, 'units'),
        beyondThePorts: atMost(0, beyond.length, 'listeners'),
        behindTheBalancer: atLeast(2, balanced, 'servers'),
      };
    } finally {
      await servers.remove();
    }
  },
};

const WITHIN_MS = 60_000;

/**
 * Puts the simplest server of web pages where Caddy will be. @returns how many application servers
 * the load balancer passes requests on to, through their firewalls
 */
async function behindTheBalancer(servers: Servers): Promise<number> {
  const { servers: all, loadBalancer } = servers.inventory;
  const applications = all.filter(({ role }) => role === 'application');
  for (const { name, privateIp } of applications) {
    const serve = `mkdir /run/web && echo ${name} > /run/web/healthz
      systemd-run --quiet python3 -m http.server --bind ${privateIp} --directory /run/web 80`;
    await servers.console(name, ['sh', '-euc', serve]);
  }
  const heard = new Set<string>();
  for (
    const deadline = Date.now() + WITHIN_MS;
    heard.size < applications.length && Date.now() < deadline;
    await sleep(500)
  ) {
    const url = `http://${loadBalancer.publicIp}/healthz`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    if (answer?.ok) heard.add((await answer.text()).trim());
  }
  return heard.size;
}
