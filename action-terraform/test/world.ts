import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHetznerApi } from '../../local-cloud/hetzner/server.ts';
import { RecordingMachinery } from '../../local-cloud/hetzner/test/recording-machinery.ts';
import { startGitHub } from '../../local-cloud/services/github/server.ts';
import type { Bucket } from '../src/s3.ts';
import { KEY } from './fixtures.ts';

const root = resolve(import.meta.dirname, '../..');
export const TOKEN = 'T0ken'.repeat(13).slice(0, 64);
const BUCKET = 'compta-terraform';
/** An address of its own, where no other connection of this machine takes a port that was found free. */
const HOST = '127.86.0.1';
const STATE_SECRET = 'state-secret-access-key';
const PUBLIC_KEY = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'K'.repeat(43)} ci`;
const VARIABLES = { admin_cidrs: ['203.0.113.1/32'], authorized_keys: { ci: PUBLIC_KEY } };

export interface Result {
  exitCode: number;
  stdout: string;
  outputs: Record<string, string>;
  summary: string;
  state: Record<string, string>;
}

export type World = Awaited<ReturnType<typeof startWorld>>;

/** Hetzner's API, an S3 with conditional writes and GitHub's artifacts, each on loopback. */
export async function startWorld({ bootTime = 200, rateLimit = 3600 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'compta-terraform-test-'));
  mkdirSync(join(folder, 's3', BUCKET), { recursive: true });
  mkdirSync(join(folder, 'hetzner'));
  mkdirSync(join(folder, 'temp'));
  cpSync(join(root, 'infra/terraform'), join(folder, 'terraform'), { recursive: true });

  const hetzner = await startHetznerApi({
    instance: { number: 0, stateDirectory: folder },
    machinery: new RecordingMachinery({ bootTime }),
    worldFile: join(folder, 'hetzner', 'world.json'),
    token: TOKEN,
    rateLimit,
    listen: { host: '127.0.0.1', port: 0 },
  });
  const s3Address = `${HOST}:${await freePort()}`;
  const s3 = await startS3(s3Address, join(folder, 's3'));
  const github = await startGitHub({ address: `${HOST}:${await freePort()}`, folder });

  const environment = (run: number): NodeJS.ProcessEnv => ({
    PATH: process.env.PATH,
    HOME: folder,
    RUNNER_TOOL_CACHE: process.env.RUNNER_TOOL_CACHE,
    RUNNER_TEMP: join(folder, 'temp'),
    TF_CLI_CONFIG_FILE: process.env.TF_CLI_CONFIG_FILE,
    GITHUB_REPOSITORY: 'compta/deploy',
    GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
    GITHUB_WORKFLOW: 'deploy-staging',
    GITHUB_RUN_ID: String(run),
    GITHUB_WORKSPACE: folder,
    ACTIONS_RESULTS_URL: github.url,
    ACTIONS_RUNTIME_TOKEN: runtimeToken(run),
    HCLOUD_ENDPOINT: hetzner.url,
    AWS_ENDPOINT_URL_S3: `http://${s3Address}`,
  });
  const standard = {
    'working-directory': 'terraform/environments/staging',
    'backend-config': `bucket=${BUCKET}`,
    'plan-key': KEY,
    'hcloud-token': TOKEN,
    'state-access-key-id': 'state-key',
    'state-secret-access-key': STATE_SECRET,
    variables: JSON.stringify(VARIABLES),
  };
  const authorized = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  return {
    folder,
    secrets: [TOKEN, STATE_SECRET, KEY],
    hetznerUrl: hetzner.url,
    /** The environment of a step of run `run`, without its inputs. */
    environment,
    module: join(folder, 'terraform/environments/staging'),
    backend: standard['backend-config'],
    /** What the standard inputs give Terraform, as it reads them itself. */
    credentials: {
      HCLOUD_TOKEN: TOKEN,
      AWS_ACCESS_KEY_ID: 'state-key',
      AWS_SECRET_ACCESS_KEY: STATE_SECRET,
      ...Object.fromEntries(
        Object.entries(VARIABLES).map(([name, value]) => [`TF_VAR_${name}`, JSON.stringify(value)]),
      ),
    },
    /** Writes or alters a file of the root module. */
    write(name: string, text: string) {
      writeFileSync(join(folder, 'terraform/environments/staging', name), text);
    },
    read: (name: string) =>
      readFileSync(join(folder, 'terraform/environments/staging', name), 'utf8'),
    /** The bucket of the state. */
    bucket: {
      endpoint: `http://${s3Address}`,
      region: 'fsn1',
      bucket: BUCKET,
      pathStyle: true,
      accessKeyId: 'state-key',
      secretAccessKey: STATE_SECRET,
      sessionToken: undefined,
    } satisfies Bucket,
    /** Hetzner's API as a person might use it beside Terraform. */
    async hetzner(path: string, { method = 'GET', body }: Asked = {}): Promise<unknown> {
      const answer = await fetch(`${hetzner.url}${path}`, {
        method,
        headers: authorized,
        ...(body && { body: JSON.stringify(body) }),
      });
      return answer.json();
    },
    /** Replaces what the API is to fail with; `{}` heals it. */
    async faults(plan: object): Promise<void> {
      const url = new URL('/_faults', hetzner.url);
      await fetch(url, { method: 'POST', headers: authorized, body: JSON.stringify(plan) });
    },
    /** The bundle as a step of run `run`, with `inputs` over the standard ones. */
    step(
      command: string,
      inputs: Record<string, string> = {},
      options: StepOptions = {},
    ): Promise<Result> {
      return this.start(command, inputs, options).result;
    },
    start(
      command: string,
      inputs: Record<string, string> = {},
      { run = 1, env = {}, entry = 'main', trace }: StepOptions = {},
    ): Started {
      const all: Record<string, string> = { command, ...standard, ...inputs };
      return execute(folder, entry, { ...environment(run), ...asInputs(all), ...env }, trace);
    },
    async stop() {
      s3.kill();
      await hetzner.close();
      await github.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Asked {
  method?: string;
  body?: object;
}

export interface Started {
  child: ChildProcess;
  result: Promise<Result>;
}

export interface StepOptions {
  run?: number;
  env?: NodeJS.ProcessEnv;
  entry?: 'main' | 'post';
  /** File for what strace sees of every command line. */
  trace?: string;
}

function asInputs(inputs: Record<string, string>): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value]),
  );
}

const STRACE = ['strace', '--follow-forks', '--trace=execve', '--string-limit=1000000', '--output'];

function execute(
  folder: string,
  entry: 'main' | 'post',
  env: NodeJS.ProcessEnv,
  trace: string | undefined,
): Started {
  const files = mkdtempSync(join(folder, 'step-'));
  const file = (name: string) => join(files, name);
  for (const name of ['output', 'summary', 'state']) writeFileSync(file(name), '');
  const bundle = join(root, 'action-terraform/dist', entry, 'index.js');
  const command = [...(trace ? [...STRACE, trace] : []), process.execPath, bundle];
  const child = spawn(command[0] ?? '', command.slice(1), {
    cwd: folder,
    env: {
      ...env,
      GITHUB_OUTPUT: file('output'),
      GITHUB_STEP_SUMMARY: file('summary'),
      GITHUB_STATE: file('state'),
    },
  });
  let stdout = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
  }
  const result = new Promise<Result>((done) => {
    child.on('close', (code) =>
      done({
        exitCode: code ?? 1,
        stdout,
        outputs: commandFile(readFileSync(file('output'), 'utf8')),
        summary: readFileSync(file('summary'), 'utf8'),
        state: commandFile(readFileSync(file('state'), 'utf8')),
      }),
    );
  });
  return { child, result };
}

/** `name<<delimiter\nvalue\ndelimiter`, as the runner reads it. */
function commandFile(text: string): Record<string, string> {
  const entries = [...text.matchAll(/^(.+?)<<(.+)\n([\s\S]*?)\n\2$/gm)];
  return Object.fromEntries(entries.map(([, name, , value]) => [name ?? '', value ?? '']));
}

/** The claims by which the artifact service tells runs apart. */
function runtimeToken(run: number): string {
  const claims = Buffer.from(JSON.stringify({ scp: `Actions.Results:${run}:job-1` }));
  return `header.${claims.toString('base64url')}.signature`;
}

async function startS3(address: string, data: string): Promise<ChildProcess> {
  const child = spawn('versitygw', ['--region', 'fsn1', '--port', address, 'posix', data], {
    env: { ...process.env, ROOT_ACCESS_KEY: 'state-key', ROOT_SECRET_KEY: STATE_SECRET },
    stdio: 'ignore',
  });
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await fetch(`http://${address}/`).catch(() => undefined)) return child;
    await sleep(100);
  }
  throw new Error(`versitygw did not answer at ${address}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, HOST, done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
