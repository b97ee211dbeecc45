import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { unzipSync } from 'fflate';
import { pushedLast, VAULT_FILE } from '../../demo/repository.ts';
import { run } from '../../lib/process/run.ts';
import { checkout } from '../../local-cloud/claim.ts';
import { docker, findEngine } from '../../local-cloud/hardware/engine.ts';
import { vaultKey } from '../../local-cloud/identity.ts';
import { type Instance, nameOf } from '../../local-cloud/instance.ts';
import { parseDotenv, runnerFiles } from '../../local-cloud/runner-files.ts';
import { cloud } from '../cloud.ts';
import { readings } from '../readings.ts';
import type { Scenario } from './scenario.ts';

/** Names of the files from which the secrets come; they are not what may leak. */
const SOURCES = new Set(['secrets', 'runner.secrets', 'identity.json']);

export const leaks: Scenario = {
  shows: 'no secret of a run in any log, summary, report, artifact, message or argument vector',
  async run(instance) {
    await cloud('up');
    const secrets = await secretsOf(instance);
    const folder = mkdtempSync(join(tmpdir(), 'compta-bench-'));
    try {
      const begun = Math.floor(Date.now() / 1000);
      await traced(instance, join(folder, 'execve'));
      const written = filesSince(instance, begun);
      const found: string[] = [];
      for (const [file, text] of written) {
        for (const secret of secretsIn(text, secrets)) found.push(`${secret} in ${file}`);
      }
      const commands = await searchCommands(folder, secrets, found);
      assert.ok(commands > 1_000, `strace saw ${commands} commands`);
      assert.deepEqual(found, []);
      return { secrets: secrets.size, files: written.length, commands };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

/** Name → value of the repository's secrets, the vault's values included. */
async function secretsOf(instance: Instance): Promise<Map<string, string>> {
  const file = readFileSync(runnerFiles(instance).secrets, 'utf8');
  const secrets = new Map(Object.entries(parseDotenv(file)));
  const { workspace } = await pushedLast(instance.stateDirectory);
  const { stdout } = await run([
    'ansible-vault',
    'view',
    '--vault-password-file',
    vaultKey(instance),
    join(workspace, VAULT_FILE),
  ]);
  for (const [, name, value] of stdout.matchAll(/^(\w+): *["']?(.+?)["']?$/gm)) {
    if (name && value) secrets.set(name, value);
  }
  secrets.delete('STAGING_TEST_USER'); // a name, and in every audit line
  secrets.delete('REGISTRY_USERNAME');
  return secrets;
}

/** A whole run, with every program that it starts on the runner and on the servers written down. */
async function traced(instance: Instance, file: string): Promise<void> {
  const strace = ['--follow-forks', '--trace=execve', '--string-limit=1000000', '--seccomp-bpf'];
  const servers = await sshDaemons(instance);
  const onServers = spawn(
    'strace',
    [
      ...strace.filter((option) => option !== '--seccomp-bpf'),
      `--output=${file}.servers`,
      ...servers.map((pid) => `--attach=${pid}`),
    ],
    { stdio: 'ignore' },
  );
  try {
    await run(['strace', ...strace, `--output=${file}.runner`, process.execPath, 'demo/run.ts'], {
      cwd: checkout,
      onLine: (line) => console.log(line),
    });
  } finally {
    onServers.kill('SIGINT');
  }
}

/** Process ids, as this machine counts them, of each server's SSH daemon. */
async function sshDaemons(instance: Instance): Promise<string[]> {
  const engine = await findEngine(instance);
  if (!engine) throw new Error('The local cloud is down.');
  const names = (await docker(engine, ['ps', '--format', '{{.Names}}'])).stdout
    .split('\n')
    .filter((name) => name.startsWith(`${nameOf(instance)}-`));
  const daemons = await Promise.all(
    names.map((name) => docker(engine, ['top', name, '-eo', 'pid,args'])),
  );
  return daemons.flatMap(({ stdout }) =>
    [...stdout.matchAll(/^ *(\d+) +sshd: .*\[listener\]/gm)].map(([, pid = '']) => pid),
  );
}

/** Text of everything that was written by or since the run, archives unpacked. */
function filesSince(instance: Instance, begun: number): [string, string][] {
  const state = instance.stateDirectory;
  const runs = readdirSync(join(state, 'runs')).filter((id) => Number(id) >= begun);
  const folders = [...runs.map((id) => join('runs', id)), 'github/artifacts', 'logs', 'runner'];
  return folders
    .flatMap((folder) => everyFile(join(state, folder)))
    .concat(everyFile(state, false).filter((file) => /slack|audit/.test(file)))
    .filter((file) => !SOURCES.has(file.split('/').pop() ?? ''))
    .flatMap(textsOf);
}

function everyFile(folder: string, recursive = true): string[] {
  return readdirSync(folder, { recursive, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function textsOf(file: string): [string, string][] {
  // A lock in the shared tool cache may be gone by now.
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  if (bytes.subarray(0, 2).toString() !== 'PK') return [[file, bytes.toString('latin1')]];
  return Object.entries(unzipSync(bytes)).map(([name, content]) => [
    `${file}!${name}`,
    Buffer.from(content).toString('latin1'),
  ]);
}

function secretsIn(text: string, secrets: ReadonlyMap<string, string>): string[] {
  return [...secrets]
    .filter(([, value]) => readings(value).some((reading) => text.includes(reading)))
    .map(([name]) => name);
}

async function searchCommands(
  folder: string,
  secrets: ReadonlyMap<string, string>,
  found: string[],
): Promise<number> {
  let commands = 0;
  for (const file of readdirSync(folder)) {
    const lines = createInterface({ input: createReadStream(join(folder, file)) });
    for await (const line of lines) {
      if (!line.includes('execve(')) continue;
      commands += 1;
      for (const secret of secretsIn(line, secrets))
        found.push(`${secret} in ${line.slice(0, 200)}`);
    }
  }
  return commands;
}
