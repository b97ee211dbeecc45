import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { copyArgv } from '../../action-build/src/commands.ts';
import { writeArtifact } from '../../action-build/src/layout.ts';
import { type Registry, startRegistry } from '../../action-build/test/registry.ts';
import { run } from '../../lib/process/run.ts';
import { ancestorsOf, environmentOf, type Job, stepsOf, workflow } from './workflow-files.ts';

/** The few lines of shell in the workflows, run as the runner runs them. */

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-shell-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function shell(file: string, name: string, env: Record<string, string>, cwd = folder) {
  const found = stepsOf(workflow(file)).find(({ step }) => step.name?.startsWith(name));
  if (found?.step.run === undefined) throw new Error(`${file} has no step '${name}' with a shell`);
  const [output, summary] = [join(folder, 'output'), join(folder, 'summary')];
  for (const path of [output, summary]) writeFileSync(path, '');
  const { exitCode, stdout, stderr } = await run(
    ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', found.step.run],
    {
      cwd,
      env: {
        PATH: process.env.PATH,
        RUNNER_TEMP: folder,
        GITHUB_OUTPUT: output,
        GITHUB_STEP_SUMMARY: summary,
        ...env,
      },
      allowedExitCodes: [0, 1, 2, 3, 4, 5],
    },
  );
  const outputs = outputsOf(readFileSync(output, 'utf8'));
  return { exitCode, said: stdout + stderr, outputs, summary: readFileSync(summary, 'utf8') };
}

/** `name=value` lines, and `name<<END` with lines up to END. */
function outputsOf(text: string): Record<string, string> {
  const parts = text.matchAll(/^(\w+)(?:=(.*)|<<END\n([\s\S]*?)\nEND)$/gm);
  return Object.fromEntries([...parts].map(([, name, line, lines]) => [name, line ?? lines]));
}

describe('a tag of production', () => {
  const git = (...words: string[]) =>
    run(['git', '-C', folder, '-c', 'user.name=x', '-c', 'user.email=x@compta.tn', ...words]);

  beforeEach(async () => {
    mkdirSync(join(folder, 'examples/services'), { recursive: true });
    writeFileSync(join(folder, 'examples/services/VERSION'), '1.4.2\n');
    await git('init', '--quiet', '--initial-branch=main');
    await git('add', 'examples');
    await git('commit', '--quiet', '--message=one');
    await git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  });

  const name = (ref: string, type = 'tag') =>
    shell('deploy-production.yml', 'Name the version', {
      GITHUB_REF_TYPE: type,
      GITHUB_REF_NAME: ref,
      GITHUB_SHA: '0a1b2c3d4e5f',
    });

  test('names version and content', async () => {
    const tree = (await git('rev-parse', 'HEAD^{tree}')).stdout.trim();
    const { exitCode, outputs } = await name('v1.4.2');
    expect({ exitCode, outputs }).toEqual({
      exitCode: 0,
      outputs: { version: '1.4.2-0a1b2c3', tree },
    });
    expect((await name('main', 'branch')).outputs).toEqual({ version: '1.4.2-0a1b2c3', tree });
  });

  test('is refused when the commit has another version', async () => {
    const { exitCode, said } = await name('v1.5.0');
    expect(exitCode).toBe(1);
    expect(said).toContain('::error::The tag is v1.5.0, and the commit has version 1.4.2');
  });

  test('is refused when its commit is not on main', async () => {
    await git('commit', '--quiet', '--allow-empty', '--message=elsewhere');
    const { exitCode, said } = await name('v1.4.2');
    expect(exitCode).toBe(1);
    expect(said).toContain('v1.4.2 is not on main');
  });
});

const outputs = {
  environment: { value: 'staging' },
  bastion: { value: 'staging-bastion-1' },
  load_balancer: { value: { public_ip: '198.51.100.9', private_ip: '10.0.1.5' } },
  servers: {
    value: {
      'staging-bastion-1': { role: 'bastion', public_ip: '198.51.100.2', private_ip: '10.0.1.2' },
      'staging-app-1': { role: 'application', public_ip: null, private_ip: '10.0.1.21' },
      'staging-app-2': { role: 'application', public_ip: null, private_ip: '10.0.1.22' },
      'staging-db-1': { role: 'database', public_ip: null, private_ip: '10.0.1.11' },
    },
  },
};

describe.each([
  ['deploy-staging.yml', 'STAGING_SERVER_IP'],
  ['deploy-production.yml', 'PROD_SERVER_IP'],
])('the servers of %s', (file, secret) => {
  const check = async (expected: string) => {
    const path = join(folder, 'outputs.json');
    writeFileSync(path, JSON.stringify(outputs));
    return shell(file, 'Make sure that these are', { EXPECTED: expected, OUTPUTS: path });
  };

  test('are the ones that the secret names', async () => {
    expect(await check('198.51.100.2')).toMatchObject({ exitCode: 0, summary: '' });
  });
  test('are refused when they are others', async () => {
    const { exitCode, said } = await check('203.0.113.1');
    expect(exitCode).toBe(1);
    expect(said).toContain(`the secret ${secret} names another`);
    expect(said).not.toContain('203.0.113.1');
  });
  test('are said to be unchecked without the secret', async () => {
    expect((await check('')).summary).toContain(`not checked (no ${secret})`);
  });
});

describe.each(['deploy-staging.yml', 'deploy-production.yml', 'service-release.yml'])(
  'the account that %s pushes with',
  (file) => {
    const check = (username: string) =>
      shell(file, 'Make sure that the account', {
        USERNAME: username,
        TOLD: 'ghcr.io/compta https://compta.tn deployed auth-service',
      });

    test.each(['compta', 'deploy'])(
      'is refused as %s, of which GitHub would tell no job',
      async (name) => {
        const { exitCode, said } = await check(name);
        expect(exitCode).toBe(1);
        expect(said).toContain('::error::The name of the registry');
      },
    );

    test.each(['compta-ci', ''])('may be %j', async (name) => {
      expect(await check(name)).toMatchObject({ exitCode: 0, said: '' });
    });
  },
);

test.each(['deploy-staging.yml', 'deploy-production.yml', 'service-release.yml'])(
  'a tag as the image of Caddy is refused by %s before anything else',
  async (file) => {
    const check = (image: string) =>
      shell(file, "Make sure that Caddy's image", { CADDY_IMAGE: image });
    const tagged = await check('docker.io/library/caddy:2.11.7');
    expect(tagged.exitCode).toBe(1);
    expect(tagged.said).toContain("::error::The variable CADDY_IMAGE is 'docker.io/library/caddy:");
    const digest = `docker.io/library/caddy@sha256:${'0a'.repeat(32)}`;
    expect(await check(digest)).toMatchObject({ exitCode: 0, said: '' });
    // That of an environment, which the job does not see.
    expect(await check('')).toMatchObject({ exitCode: 0, said: '' });
  },
);

test.each(['deploy-staging.yml', 'deploy-production.yml', 'service-release.yml'])(
  'an environment without an image of Caddy is refused by %s before it is changed',
  async (file) => {
    const name = 'Make sure that the environment has';
    const check = (image: string) => shell(file, name, { CADDY_IMAGE: image });
    for (const wrong of ['', 'docker.io/library/caddy:2.11.7']) {
      const { exitCode, said } = await check(wrong);
      expect(exitCode).toBe(1);
      expect(said).toContain(`::error::The variable CADDY_IMAGE is '${wrong}': set it to`);
    }
    const digest = `docker.io/library/caddy@sha256:${'0a'.repeat(32)}`;
    expect(await check(digest)).toMatchObject({ exitCode: 0, said: '' });

    const { jobs } = workflow(file);
    const [id, job] =
      Object.entries(jobs).find(([, { steps }]) => steps[0]?.name?.startsWith(name)) ?? [];
    const released = jobs['deploy-application'] as Job;
    expect(environmentOf(job as Job)).toBe(environmentOf(released));
    const changes = /action-(ansible|db-migrate|deploy)|command: apply/;
    const before = ancestorsOf(id ?? '', jobs);
    for (const one of before) expect(stringify(jobs[one])).not.toMatch(changes);
  },
);

describe('what a service repository asks for', () => {
  const good = {
    SERVICE: 'auth-service',
    ENVIRONMENT: 'staging',
    VERSION: '1.4.2',
    VERSION_PATH: '/api/auth/version',
    DATABASE: 'compta_auth',
    GITHUB_SHA: '0a1b2c3d4e5f',
  };
  test.each([
    ['SERVICE', 'Auth; reboot', "Input 'service'"],
    ['ENVIRONMENT', 'dev', "Input 'environment'"],
    ['VERSION', 'latest', "Input 'version'"],
    ['VERSION_PATH', 'https://elsewhere.tn', "Input 'version-path'"],
    ['DATABASE', 'compta-auth', "Input 'database'"],
  ])('%s: %s is refused', async (name, value, says) => {
    const ended = await shell('service-release.yml', 'Hold the inputs', { ...good, [name]: value });
    expect(ended.exitCode).toBe(1);
    expect(ended.said).toContain(`::error::${says}`);
  });

  const servers = (environment: string, list: unknown) =>
    shell('service-release.yml', 'Read which servers', {
      TERRAFORM_OUTPUTS: list === undefined ? '' : JSON.stringify(list),
      ENVIRONMENT: environment,
      CADDY_IMAGE: 'registry.test/compta/caddy@sha256:0',
      STAGING_SITE_SCHEME: 'http',
      STAGING_SITE_ADDRESS: ':8000',
      STAGING_CORS_ORIGIN: 'none',
      STAGING_RATE_LIMIT: 'none',
      STAGING_ACME_EMAIL: 'hostmaster@compta.tn',
      STAGING_ACME_DIRECTORY: 'https://acme.test/staging',
      STAGING_ACME_ROOTS: '/etc/ssl/staging.pem',
      PRODUCTION_URL: 'https://compta.tn',
      PRODUCTION_SITE_SCHEME: 'https',
      PRODUCTION_SITE_ADDRESS: 'compta.tn',
      PRODUCTION_CORS_ORIGIN: 'https://app.compta.tn',
      PRODUCTION_RATE_LIMIT: 'per-client 300',
      PRODUCTION_ACME_EMAIL: 'hostmaster@compta.tn',
      PRODUCTION_ACME_DIRECTORY: 'https://acme.test/production',
      PRODUCTION_ACME_ROOTS: '/etc/ssl/production.pem',
    });

  test.each([
    ['no list', undefined],
    ['another environment’s list', { ...outputs, environment: { value: 'production' } }],
  ])('%s of servers is refused', async (_what, list) => {
    const { exitCode, said } = await servers('staging', list);
    expect(exitCode).toBe(1);
    expect(said).toContain('TERRAFORM_OUTPUTS of staging is missing or of another');
  });

  test.each(['staging', 'production'])(
    '%s is told the same as by a whole release',
    async (name) => {
      const ended = await servers(name, { ...outputs, environment: { value: name } });
      expect(ended.exitCode).toBe(0);
      expect(ended.outputs.url).toBe(
        name === 'staging' ? 'http://198.51.100.9' : 'https://compta.tn',
      );
      const whole = stepsOf(workflow(`deploy-${name}.yml`)).find(
        ({ step }) => step.id === 'deploy',
      );
      const told = parse(ended.outputs.variables ?? '');
      expect(Object.keys(told)).toEqual(Object.keys(parse(String(whole?.step.with?.variables))));
      expect(told).toMatchObject({
        DATABASE_HOST: '10.0.1.11',
        SITE_ACME_DIRECTORY: `https://acme.test/${name}`,
        SITE_ACME_ROOTS: `/etc/ssl/${name}.pem`,
        SITE_ACME_PEERS: '10.0.1.21:80 10.0.1.22:80',
        SITE_PROXY_PROTOCOL_FROM: '10.0.1.5/32',
        ...(name === 'staging'
          ? {
              SITE_SCHEME: 'http',
              SITE_ADDRESS: ':8000',
              SITE_CORS_ORIGIN: 'none',
              SITE_RATE_LIMIT: 'none',
            }
          : {
              SITE_SCHEME: 'https',
              SITE_ADDRESS: 'compta.tn',
              SITE_CORS_ORIGIN: 'https://app.compta.tn',
              SITE_RATE_LIMIT: 'per-client 300',
            }),
      });
    },
  );
});

describe('marking images as proven', () => {
  let registry: Registry;
  let image: string;

  beforeEach(async () => {
    registry = await startRegistry(folder);
    const layout = join(folder, 'layout');
    const empty = `sha256:${createHash('sha256').update('').digest('hex')}`;
    writeArtifact(layout, {
      mediaType: 'text/plain',
      content: Buffer.from('a service'),
      subject: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: empty, size: 0 },
    });
    const repository = `${registry.address}/compta/auth-service`;
    const auth = Buffer.from(`${registry.username}:${registry.password}`).toString('base64');
    writeFileSync(
      join(folder, 'auth'),
      JSON.stringify({ auths: { [registry.address]: { auth } } }),
    );
    const copy = { from: `oci:${layout}`, to: `docker://${repository}:1.4.2` };
    await run(copyArgv(copy, join(folder, 'auth')), {
      env: { ...process.env, SSL_CERT_FILE: registry.authority },
    });
    image = `${repository}@${(await registry.manifest('compta/auth-service', '1.4.2')).digest}`;
  });
  afterEach(() => registry.stop());

  const mark = (images: string[], password = registry.password) =>
    shell('deploy-staging.yml', 'Tag the digests', {
      TMPDIR: folder,
      SSL_CERT_FILE: registry.authority,
      IMAGES: JSON.stringify(
        Object.fromEntries(images.map((reference) => [reference, { reference }])),
      ),
      TREE: 'c0ffee',
      REGISTRY: `${registry.address}/compta`,
      USERNAME: registry.username,
      PASSWORD: password,
    });

  test('tags the digest for its content, and leaves no login behind', async () => {
    const { exitCode, summary } = await mark([image]);
    expect({ exitCode, summary }).toEqual({
      exitCode: 0,
      summary: `### ✅ Proven, and open to production\n- \`${image}\`\n`,
    });
    const { digest } = await registry.manifest('compta/auth-service', 'proven-c0ffee');
    expect(image).toContain(digest);
    expect((await run(['find', folder, '-name', 'auth.json'])).stdout).toBe('');
  });

  test('fails when one cannot be tagged, and then calls none proven', async () => {
    const missing = image.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
    expect(await mark([image, missing])).toMatchObject({ exitCode: 1, summary: '' });
    expect(await mark([image], 'another-password')).toMatchObject({ exitCode: 1, summary: '' });
  });
});
