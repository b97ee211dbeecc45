import assert from 'node:assert/strict';
import { portsOf } from '../../infra/ansible/ports.ts';
import { play } from '../../infra/ansible/test/playbook.ts';
import { orderServers, PRODUCTION_SERVERS } from '../../infra/ansible/test/servers.ts';
import { lookAtAll, reboot } from '../../infra/ansible/test/state.ts';
import { atMost } from '../measurement.ts';
import { type Scenario, seconds } from '../scenarios/scenario.ts';

/** Not that of the roles' own test, which may run beside it. */
const NUMBER = 13;

/** The monitoring server refuses to watch for nobody. No message gets there. */
const CHANNEL = { vault_slack_webhook_url: 'http://127.0.0.1:9/nobody' };

export const production: Scenario = {
  shows:
    "as many servers as production has, with staging's settings, from bare to watched: check mode, site.yml, reboots, nothing to do",
  async run(_, print) {
    const servers = await orderServers(NUMBER, PRODUCTION_SERVERS);
    Object.assign(servers.variables, CHANNEL);
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
      assert.deepEqual((await play(servers, 'site.yml')).errors, []);
      const configuredSeconds = seconds(Date.now() - begun);

      print('rebooting each …');
      const running = await lookAtAll(servers, 'running');
      await Promise.all(PRODUCTION_SERVERS.map((name) => reboot(servers, name)));
      assert.deepEqual(await lookAtAll(servers, 'running'), running, 'every service is back');

      print('a second run …');
      const settings = await lookAtAll(servers, 'settings');
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
      for (const line of [...failed, ...beyond]) print(line);
      return {
        servers: PRODUCTION_SERVERS.length,
        configuredSeconds,
        secondRunChanged: atMost(0, Math.max(...Object.values(changed)), 'tasks'),
        failedUnits: atMost(0, failed.length, 'units'),
        beyondThePorts: atMost(0, beyond.length, 'listeners'),
      };
    } finally {
      await servers.remove();
    }
  },
};
