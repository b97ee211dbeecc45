import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { run } from '../../lib/process/run.ts';
import { stepsOf, workflow } from './workflow-files.ts';

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
  const outputs = Object.fromEntries(
    readFileSync(output, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('=', 2)),
  );
  return { exitCode, said: stdout + stderr, outputs, summary: readFileSync(summary, 'utf8') };
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

  test.each([
    ['', 1],
    ['{"environment":{"value":"production"}}', 1],
    [JSON.stringify(outputs), 0],
  ])('servers %j: exit code %d', async (given, code) => {
    const { exitCode, outputs, said } = await shell('service-release.yml', 'Read which servers', {
      TERRAFORM_OUTPUTS: given,
      ENVIRONMENT: 'staging',
      URL: '',
    });
    expect(exitCode).toBe(code);
    if (code === 1) expect(said).toContain('TERRAFORM_OUTPUTS of staging is missing or of another');
    else expect(outputs).toMatchObject({ url: 'http://198.51.100.9', database: '10.0.1.11' });
  });
});

describe('marking images as proven', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const mark = async (skopeo: string) => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'skopeo'), `#!/bin/sh\n${skopeo}\n`);
    chmodSync(join(bin, 'skopeo'), 0o755);
    return shell('deploy-staging.yml', 'Tag the digests', {
      PATH: [bin, process.env.PATH].join(delimiter),
      TMPDIR: folder,
      IMAGES: JSON.stringify({
        auth: { reference: `registry.test:5000/compta/auth@${digest}` },
        web: { reference: `registry.test:5000/compta/web@${digest}` },
      }),
      TREE: 'c0ffee',
      REGISTRY: 'registry.test:5000/compta',
      USERNAME: 'pipeline',
      PASSWORD: 'the-registry-password',
    });
  };

  test('tags each digest, logged in by a file that is gone afterwards', async () => {
    const log = join(folder, 'log');
    const ended = await mark(`cat "$REGISTRY_AUTH_FILE" >> ${log}; echo "$@" >> ${log}`);
    expect(ended.exitCode).toBe(0);
    const told = readFileSync(log, 'utf8');
    const auth = Buffer.from('pipeline:the-registry-password').toString('base64');
    expect(told).toContain(`{"auths":{"registry.test:5000":{"auth":"${auth}"}}}`);
    expect(told).toContain(
      `docker://registry.test:5000/compta/web@${digest} docker://registry.test:5000/compta/web:proven-c0ffee`,
    );
    expect(told).not.toContain('the-registry-password');
    expect(ended.summary).toContain(`- \`registry.test:5000/compta/auth@${digest}\``);
    expect((await run(['find', folder, '-name', 'auth.json'])).stdout).toBe('');
  });

  test('fails when one cannot be tagged, and then calls none proven', async () => {
    const ended = await mark('case "$*" in *web*) exit 1;; esac');
    expect(ended).toMatchObject({ exitCode: 1, summary: '' });
  });
});
