import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectionTo, start } from '../../action-deploy/test/release-step.ts';
import { releasesToKeep } from '../../lib/release/earlier.ts';
import type { Host } from '../../lib/release/host.ts';
import { Lease } from '../../lib/release/lease.ts';
import { recordContracts } from '../../lib/release/schema.ts';
import { keptReleases, readHistory } from '../../lib/release/store.ts';
import {
  paths,
  startEnvironment,
  type TestEnvironment,
} from '../../lib/release/test/fixture/environment.ts';
import { startLoad } from '../../lib/release/test/fixture/load.ts';
import type { Ended } from '../../lib/runner/test/start-action.ts';

let environment: TestEnvironment;
beforeAll(async () => {
  environment = await startEnvironment(2);
  const end = await ran('action-deploy', await deploy('1.0.0'));
  expect(end.outputs.status).toBe('deployed');
}, 180_000);
afterAll(async () => {
  await environment?.close();
}, 180_000);

const auth = '/api/auth/version';
const accounting = '/api/accounting/version';

const connection = () => connectionTo(environment);

async function deploy(
  version: string,
  only?: string[],
  more: Record<string, string> = {},
): Promise<Record<string, string>> {
  const { images, variables } = await environment.wanted(version, {}, only);
  return {
    ...connection(),
    version,
    images: JSON.stringify(images),
    variables: JSON.stringify(variables),
    ...more,
  };
}

const back = (more: Record<string, string> = {}): Record<string, string> => ({
  ...connection(),
  reason: 'totals are wrong',
  confirm: 'staging',
  ...more,
});

const ran = (
  action: string,
  inputs: Record<string, string>,
  env: Record<string, string> = {},
): Promise<Ended> => start(action, inputs, { env }).ended;

async function versionsAt(path: string): Promise<string[]> {
  return Promise.all(
    environment.test.hosts.map(async ({ address }) => {
      const response = await fetch(`http://${address}${path}`);
      return ((await response.json()) as { version: string }).version;
    }),
  );
}

/** Container ids by name. */
async function containers(): Promise<Record<string, string>> {
  const [host] = environment.test.hosts;
  const lines = (await host?.docker('ps', '--no-trunc', '--format', '{{.Names}} {{.ID}}')) ?? '';
  return Object.fromEntries(
    lines
      .trim()
      .split('\n')
      .map((line) => line.split(' ')),
  );
}

describe('a dry run', () => {
  test('shows what would change, file by file, hides secrets, and changes nothing', async () => {
    const before = await containers();
    const inputs = await deploy('1.1.0', ['auth-service']);
    const variables = {
      ...JSON.parse(inputs.variables ?? '{}'),
      LOG_LEVEL: 'WARN',
      MAIL_PASSWORD: 'swordfish-77',
    };
    const secrets = 'accounting-service:\n  mail.password: swordfish-78';
    const end = await ran('action-deploy', {
      ...inputs,
      variables: JSON.stringify(variables),
      secrets,
      'dry-run': 'true',
    });
    expect(end.outputs.status).toBe('unchanged');
    expect(end.summary).toContain('| app-2 | auth-service | 1.0.0 | 1.1.0 | start auth-service-b;');
    expect(end.summary).toContain('+LOG_LEVEL=WARN');
    expect(end.summary).toMatch(/\+MAIL_PASSWORD=\(hidden, [0-9a-f]{6}\)/);
    expect(end.summary).toContain('new or changed secrets: accounting-service/mail.password');
    expect(end.summary).toMatch(/app-2: images to fetch: \S+auth-service@sha256:[0-9a-f]{64}$/m);
    expect(end.summary + end.stdout.replaceAll(/^::add-mask::.*\n/gm, '')).not.toMatch(/swordfish/);
    expect(await containers()).toEqual(before);
    const [host] = environment.hosts;
    expect(host && [...(await keptReleases(host)).keys()]).toHaveLength(1);
  }, 180_000);
});

describe('secrets, logins and GitHub', () => {
  test('come with a deploy, stay out of every command line, and swap only whose secrets they are', async () => {
    const password = 'correct-horse-battery';
    environment.registry.protect({ username: 'robot', password });
    const github = await startGitHub();
    try {
      const before = await containers();
      const more = {
        secrets: 'accounting-service:\n  mail.password: swordfish-79',
        'github-token': 'ghs_0123456789',
      };
      const inputs = await deploy('1.1.0', ['auth-service'], more);
      const refused = await ran('action-deploy', inputs, github.env);
      expect(refused.stdout).toContain('cannot pull an image');

      const login = { registry: registryOf(inputs), username: 'robot', password };
      const end = await ran('action-deploy', { ...inputs, ...login }, github.env);
      expect(end.outputs.status).toBe('deployed');
      const after = await containers();
      expect(Object.keys(after).filter((name) => before[name] !== after[name])).toEqual(
        expect.arrayContaining(['compta-auth-service-b-1', 'compta-accounting-service-b-1']),
      );
      expect(after['compta-reporting-service-a-1']).toBe(before['compta-reporting-service-a-1']);
      expect(after['compta-api-gateway-a-1']).toBe(before['compta-api-gateway-a-1']);

      const [host] = environment.hosts;
      const file = '/opt/compta/secrets/accounting-service/mail.password';
      const seen = await host?.read(['sh', '-c', 'stat -c %a:%u "$1"; cat "$1"', 'sh', file]);
      expect(seen?.stdout).toBe('400:10001\nswordfish-79');
      const audited = await host?.content('/opt/compta/audit.log');
      expect(audited).toContain('"what":"secrets accounting-service/mail.password"');
      expect(audited).not.toContain('swordfish');
      const commands = environment.test.hosts.flatMap((each) => each.commands).join('\n');
      const basic = Buffer.from(`robot:${password}`).toString('base64');
      for (const secret of ['swordfish-79', password, basic]) {
        expect(commands).not.toContain(secret);
        expect(end.stdout.replaceAll(/^::add-mask::.*\n/gm, '')).not.toContain(secret);
      }
      const left = await host?.read(['sh', '-c', 'ls -d /dev/shm/compta.* 2>/dev/null; true']);
      expect(left?.stdout).toBe('');
      expect(github.states).toEqual(['in_progress', 'error', 'in_progress', 'success']);
    } finally {
      environment.registry.protect();
      await github.close();
    }
  }, 120_000);
});

describe('two teams', () => {
  test('deploy one service and roll another back at the same time: both end as asked', async () => {
    const [host] = environment.test.hosts;
    await forgetEarlier(environment.hosts[1]);
    const load = startLoad(`http://${host?.address}`, paths, { connections: 8 });
    const [deployed, rolledBack] = await Promise.all([
      ran('action-deploy', await deploy('1.2.0', ['reporting-service'])),
      ran('action-rollback', back({ services: 'auth-service', from: '1.1.0' })),
    ]);
    expect([deployed.outputs.status, rolledBack.outputs.status]).toEqual(['deployed', 'deployed']);
    expect(await versionsAt('/api/reporting/version')).toEqual(['1.2.0', '1.2.0']);
    expect(await versionsAt(auth)).toEqual(['1.0.0', '1.0.0']);
    expect(deployed.stdout + rolledBack.stdout).toContain('Waiting for the lease');
    const { failed, sent } = await load.stop();
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(200);
  }, 180_000);

  test('a service whose earlier version nobody kept is not rolled back', async () => {
    const end = await ran('action-rollback', back({ services: 'api-gateway' }));
    expect(end.stdout).toContain('No kept release has an earlier api-gateway than 1.0.0');
  }, 180_000);
});

describe('a rollback that would do harm', () => {
  test.each<Record<string, string>>([{}, { services: 'reporting-service' }])(
    'is refused when what it is to take back does not run any more: %j',
    async (more) => {
      const end = await ran('action-rollback', back({ from: '1.1.0', ...more }));
      expect(end.exitCode).toBe(1);
      expect(end.stdout).toMatch(
        /1\.1\.0 does not run here, but 1\.[02]\.0: nothing was rolled back/,
      );
      expect(await versionsAt('/api/reporting/version')).toEqual(['1.2.0', '1.2.0']);
      expect(await versionsAt(auth)).toEqual(['1.0.0', '1.0.0']);
    },
    180_000,
  );

  test('is refused when the database has moved beyond, naming script and service', async () => {
    const end = await ran('action-deploy', await deploy('1.3.0', ['accounting-service']));
    expect(end.outputs.status).toBe('deployed');
    const lease = await Lease.take(environment.hosts, {
      owner: 'migration',
      run: '',
      waitMs: 10_000,
      say: () => {},
    });
    // The second server was away when the migration ran.
    for (const host of environment.hosts.slice(0, 1)) {
      const contract = { script: 'V10__drop_tax.sql', since: '1.2.0' };
      await recordContracts(host, 'accounting-service', [contract]);
    }
    await lease.free();
    const refused = await ran('action-rollback', back());
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toContain(
      'accounting-service 1.0.0 cannot be put back: V10__drop_tax.sql took away from its database ' +
        'what versions before 1.2.0 need',
    );
    expect(await versionsAt(accounting)).toEqual(['1.3.0', '1.3.0']);
  }, 120_000);

  test('is refused when an image is gone from server and registry', async () => {
    const end = await ran('action-deploy', await deploy('1.4.0', ['auth-service']));
    expect(end.outputs.status).toBe('deployed');
    const [host] = environment.hosts;
    const kept = host && [...(await keptReleases(host)).values()];
    const image = kept
      ?.flatMap(({ services }) => services['auth-service'] ?? [])
      .find(({ version }) => version === '1.0.0')?.image;
    await environment.test.hosts[1]?.docker('image', 'rm', String(image));
    environment.registry.remove(String(image));
    const refused = await ran('action-rollback', back({ services: 'auth-service' }));
    expect(refused.stdout).toContain(
      'cannot be put back, as not all of its images are left. app-2',
    );
    expect(await versionsAt(auth)).toEqual(['1.4.0', '1.4.0']);
  }, 120_000);
});

describe('a release that another team has released after', () => {
  test('goes back with what it brought, and leaves theirs', async () => {
    const ours = await ran('action-deploy', await deploy('1.5.0', ['api-gateway']));
    const theirs = await ran('action-deploy', await deploy('1.6.0', ['reporting-service']));
    expect([ours.outputs.status, theirs.outputs.status]).toEqual(['deployed', 'deployed']);
    const from = ours.outputs.release ?? '';
    const end = await ran('action-rollback', back({ from }));
    expect(end.outputs.status).toBe('deployed');
    expect(await versionsAt('/api/version')).toEqual(['1.0.0', '1.0.0']);
    expect(await versionsAt('/api/reporting/version')).toEqual(['1.6.0', '1.6.0']);
    const again = await ran('action-rollback', back({ from }));
    expect(again.stdout).toContain(`${from} does not run here`);
  }, 180_000);
});

describe('what is kept', () => {
  test('is enough to go back without the registry, in seconds, and no more than was asked', async () => {
    for (const version of ['1.7.0', '1.8.0', '1.9.0']) {
      const inputs = await deploy(version, ['accounting-service'], { keep: '2' });
      expect((await ran('action-deploy', inputs)).outputs.status).toBe('deployed');
    }
    const [host] = environment.hosts;
    const history = host ? await readHistory(host) : [];
    const kept = host ? await keptReleases(host) : new Map();
    const current = history.at(-1)?.release ?? '';
    expect([...kept.keys()].toSorted()).toEqual(
      releasesToKeep(history, 2, kept, current)
        .filter((release) => kept.has(release))
        .toSorted(),
    );
    expect([...kept.keys()].some((release) => release.startsWith('1.7.0-'))).toBe(false);
    await environment.registry.off();
    try {
      const begun = Date.now();
      const end = await ran('action-rollback', back());
      expect(end.outputs).toMatchObject({ status: 'deployed', version: '1.8.0' });
      expect(Date.now() - begun).toBeLessThan(60_000);
    } finally {
      await environment.registry.on();
    }
    expect(await versionsAt(accounting)).toEqual(['1.8.0', '1.8.0']);
  }, 240_000);
});

/** A server that joined later has the files of the current release alone. */
async function forgetEarlier(host: Host | undefined): Promise<void> {
  const script = `cd /opt/compta/releases
current=$(basename "$(readlink ../current)")
for each in *; do [ "$each" = "$current" ] || rm -r "./$each"; done`;
  await host?.read(['sh', '-c', script]);
}

const registryOf = ({ images = '{}' }: Record<string, string>): string =>
  String(Object.values(JSON.parse(images))[0]).split('/')[0] ?? '';

/** GitHub's side of a deployment, held to what its API documents. */
async function startGitHub() {
  const states: string[] = [];
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as { state?: string; ref?: string; description: string };
    const statuses = request.url === '/repos/compta/compta/deployments/7/statuses';
    const known = statuses || request.url === '/repos/compta/compta/deployments';
    if (request.headers.authorization !== 'token ghs_0123456789' || !known) {
      return response.writeHead(404).end('{}');
    }
    expect(body.description.length).toBeLessThanOrEqual(140);
    if (statuses) states.push(String(body.state));
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"id": 7}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    states,
    env: {
      GITHUB_API_URL: `http://127.0.0.1:${port}`,
      GITHUB_REPOSITORY: 'compta/compta',
      GITHUB_SHA: 'a'.repeat(40),
      GITHUB_SERVER_URL: 'https://github.example',
      GITHUB_RUN_ID: '1',
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
