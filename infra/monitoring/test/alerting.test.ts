import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { run } from '../../../lib/process/run.ts';
import { type Program, start, until } from './processes.ts';

const ansible = resolve(import.meta.dirname, '../../ansible');
const folder = mkdtempSync(join(tmpdir(), 'compta-alerting-'));
const programs: Program[] = [];
/** What stands in for the exporters of the database server: it changes while the test runs. */
let metrics = '';
let exporter: Server;
let mails: string[];
let smtp: TcpServer;
let slack: Server;
/** What came to the webhook: Alertmanager writes attachments. */
const posted: { channel: string; attachments: { title: string; text: string }[] }[] = [];

beforeAll(async () => {
  exporter = createServer((_, response) => response.end(metrics)).listen(19187, '127.0.0.1');
  ({ server: smtp, mails } = mailbox(19025));
  slack = createServer(async (request, response) => {
    posted.push(JSON.parse(await text(request)));
    response.end('ok');
  }).listen(19080, '127.0.0.1');
  render();
  programs.push(
    start([
      'prometheus-alertmanager',
      `--config.file=${folder}/alertmanager.yml`,
      `--storage.path=${folder}/alertmanager`,
      '--web.listen-address=127.0.0.1:9093',
      '--cluster.listen-address=',
    ]),
    start([
      'prometheus',
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/prometheus`,
      '--web.listen-address=127.0.0.1:9090',
    ]),
  );
}, 180_000);

afterAll(async () => {
  await Promise.all(programs.map((program) => program.stop()));
  slack.close();
  exporter.close();
  smtp.close();
  rmSync(folder, { recursive: true });
});

test('both configurations are what their own checkers accept', () => {
  execFileSync('promtool', ['check', 'config', join(folder, 'prometheus.yml')]);
  execFileSync('amtool', ['check-config', join(folder, 'alertmanager.yml')]);
});

test('a host is scraped for what it has', () => {
  const [target, ...others] = parse(readFileSync(join(folder, 'targets/optional.yml'), 'utf8'));
  expect(target).toMatchObject({ targets: ['127.0.0.1:19188'], labels: { host: 'app-1' } });
  expect(others).toEqual([]);
});

test('a secret of a channel is not in the configuration', () => {
  expect(readFileSync(join(folder, 'alertmanager.yml'), 'utf8')).not.toContain('services/T/B');
});

test.each([
  ['critical', { severity: 'critical', service: 'postgresql' }, 'on-call'],
  ['a warning', { severity: 'warning', service: 'host' }, 'team'],
  ['the watchdog', { alertname: 'Watchdog', severity: 'none' }, 'watchdog'],
])('%s goes where it should', (_what, labels, receiver) => {
  const words = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const config = `--config.file=${folder}/alertmanager.yml`;
  const routed = execFileSync('amtool', ['config', 'routes', 'test', config, ...words], {
    encoding: 'utf8',
  });
  expect(routed.trim()).toBe(receiver);
});

test('what happens on a server is told in Slack and by mail, once, with what to do', async () => {
  const sample = (kills: number) => `node_vmstat_oom_kill ${kills}\n`;
  metrics = sample(0);
  await until('Prometheus sees the exporter', 60, async () =>
    (await query('node_vmstat_oom_kill == 0')) > 0 ? true : undefined,
  );
  metrics = sample(1);
  const message = await until('the alert is in Slack', 90, () => oomKills()[0]);
  expect(message).toContain('db-1: the kernel killed a process');
  expect(message).toContain('docs/monitoring.md#outofmemorykill');
  const mail = await until('the alert is in the mailbox', 60, () =>
    mails.find((each) => each.includes('OutOfMemoryKill')),
  );
  expect(mail).toMatch(/^To: ops@example\.com\r?$/m);
  expect(oomKills()).toHaveLength(1);
}, 240_000);

test("the role's own proof finds them ready, with every rule that the role places", async () => {
  const probes = createServer((_, response) => response.end()).listen(9115, '127.0.0.1');
  const playbook = join(import.meta.dirname, 'prove.yml');
  try {
    await run(['ansible-playbook', playbook, `--inventory=${folder}/hosts.yml`], { cwd: ansible });
  } finally {
    probes.close();
  }
}, 180_000);

function oomKills(): string[] {
  return posted
    .map(({ attachments }) => attachments[0]?.text ?? '')
    .filter((said) => said.includes('OutOfMemoryKill'));
}

async function query(expression: string): Promise<number> {
  try {
    const answer = await fetch(
      `http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(expression)}`,
    );
    const { data } = (await answer.json()) as { data: { result: unknown[] } };
    return data.result.length;
  } catch {
    return 0;
  }
}

/** The role's own templates, with the paths of this folder in place of /etc/prometheus. */
function render(): void {
  mkdirSync(join(folder, 'targets'));
  mkdirSync(join(folder, 'rules'));
  cpSync(join(ansible, 'roles/monitoring/files/rules'), join(folder, 'rules'), { recursive: true });
  cpSync(join(ansible, 'roles/monitoring/files/compta.tmpl'), join(folder, 'compta.tmpl'));
  writeFileSync(join(folder, 'slack-webhook'), 'http://127.0.0.1:19080/services/T/B/hook');
  writeFileSync(
    join(folder, 'hosts.yml'),
    JSON.stringify({
      monitoring: { hosts: { 'monitoring-1': { private_ip: '127.0.0.1' } } },
      database: { hosts: { 'db-1': { private_ip: '127.0.0.1' } } },
      application: {
        hosts: {
          'app-1': { private_ip: '127.0.0.1', image_of_it: 'by digest' },
          'app-2': { private_ip: '127.0.0.2', image_of_it: '' },
          'app-3': { private_ip: '127.0.0.3' },
        },
      },
    }),
  );
  writeFileSync(
    join(folder, 'variables.yml'),
    JSON.stringify({
      monitoring_environment: 'test',
      monitoring_jobs: [
        { name: 'postgresql', group: 'database', port: 19187 },
        { name: 'optional', group: 'application', port: 19188, needs: 'image_of_it' },
      ],
      monitoring_scrape_interval: '1s',
      monitoring_slack_webhook: 'http://127.0.0.1:19080/services/T/B/hook',
      monitoring_mail_to: ['ops@example.com'],
      monitoring_mail_from: 'alerts@example.com',
      monitoring_smtp_host: '127.0.0.1:19025',
      monitoring_watchdog_url: 'http://127.0.0.1:19187/watchdog',
      monitoring_group_wait: '1s',
      monitoring_collector_mode: 'gateway',
    }),
  );
  execFileSync(
    'ansible-playbook',
    [
      join(import.meta.dirname, 'render.yml'),
      `--inventory=${folder}/hosts.yml`,
      `--extra-vars=${JSON.stringify({ folder, variables: `${folder}/variables.yml` })}`,
    ],
    { cwd: ansible },
  );
  const file = join(folder, 'alertmanager.yml');
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('/etc/prometheus', folder));
}

/** Takes mail as an SMTP server does, and keeps it. */
function mailbox(port: number): { server: TcpServer; mails: string[] } {
  const mails: string[] = [];
  const server = createTcpServer((socket) => {
    let mail: string | undefined;
    socket.write('220 mailbox\r\n');
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      const said = chunk.toString();
      if (mail !== undefined) {
        mail += said;
        if (!mail.endsWith('\r\n.\r\n')) return;
        mails.push(mail);
        mail = undefined;
        socket.write('250 kept\r\n');
      } else if (/^DATA/im.test(said)) {
        mail = '';
        socket.write('354 go on\r\n');
      } else if (/^QUIT/im.test(said)) {
        socket.end('221 bye\r\n');
      } else {
        socket.write('250 ok\r\n');
      }
    });
  }).listen(port, '127.0.0.1');
  return { server, mails };
}
