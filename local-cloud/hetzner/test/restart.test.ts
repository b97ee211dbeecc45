import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { clientOf } from './client.ts';
import { RecordingMachinery } from './recording-machinery.ts';
import { environment, terraformIn } from './terraform.ts';

const MINUTES = 60_000;

let directory: string;
let process_: ChildProcess;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hetzner-'));
});
afterEach(async () => {
  await kill();
  rmSync(directory, { recursive: true });
});

/** Starts the API as a process; the port stays the same over restarts. */
async function start({ port = 0, bootTime = 0 }): Promise<string> {
  const script = join(import.meta.dirname, 'api-process.ts');
  process_ = spawn(process.execPath, [script, directory, String(port), String(bootTime)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const [line] = (await once(process_.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return line.toString().trim();
}

async function kill(): Promise<void> {
  if (process_.exitCode !== null || process_.signalCode !== null) return;
  process_.kill('SIGKILL');
  await once(process_, 'exit');
}

const hardware = () => new RecordingMachinery({ journal: join(directory, 'hardware.jsonl') }).state;
const names = () => Object.values(hardware().servers).map(({ name }) => name);

describe('an API that is killed', () => {
  test('ends after its restart what it had begun', async () => {
    const url = await start({ bootTime: 5_000 });
    const wanted = { name: 'app', server_type: 'cpx22', image: 'debian-12' };
    const begun = await clientOf(url).post('/servers', wanted);
    await kill();
    expect(names()).toEqual([]);

    const client = clientOf(await start({ port: Number(new URL(url).port) }));
    const { action, next_actions, server } = await client.done(Promise.resolve(begun));
    const query = [action, ...next_actions].map(({ id }) => `id=${id}`).join('&');
    const found = (await client.get(`/actions?${query}&sort=status&sort=id`)).body.actions;
    expect(found.map(({ status }: { status: string }) => status)).toEqual(['success', 'success']);
    expect(names()).toEqual(['app']);
    expect((await client.get(`/servers/${server.id}`)).body.server.status).toBe('running');
  });

  test('remembers every name and address it has given away', async () => {
    const url = await start({});
    const client = clientOf(url);
    const { primary_ip } = (
      await client.post('/primary_ips', { name: 'a', type: 'ipv4', location: 'fsn1' })
    ).body;
    await kill();
    await start({ port: Number(new URL(url).port) });
    const again = await client.post('/primary_ips', { name: 'a', type: 'ipv4', location: 'fsn1' });
    expect(again.body.error.code).toBe('uniqueness_error');
    const other = await client.post('/primary_ips', { name: 'b', type: 'ipv4', location: 'fsn1' });
    expect(other.body.primary_ip.ip).not.toBe(primary_ip.ip);
    expect(other.body.primary_ip.id).toBeGreaterThan(primary_ip.id);
  });

  test(
    'in the middle of an apply lets the next apply finish the environment',
    async () => {
      const url = await start({ bootTime: 30_000 });
      const terraform = terraformIn(url);
      terraform.write(environment());
      expect(await terraform.init()).toMatchObject({ code: 0 });
      const apply = terraform.apply();
      // Earlier an answer could be lost, and Terraform would not know what it had created.
      while (!onlyPolling()) await sleep(20);
      await kill();
      expect((await apply).code).toBe(1);

      await start({ port: Number(new URL(url).port) });
      while (readWorld().includes('"status":"running","progress"')) await sleep(20);
      expect((await terraform.apply()).output).toContain('Apply complete');
      expect((await terraform.plan()).code).toBe(0);
      expect(names().sort()).toEqual(['app-1', 'app-2']);
      expect(await terraform.destroy()).toMatchObject({ code: 0 });
      expect(hardware().servers).toEqual({});
      terraform.remove();
    },
    5 * MINUTES,
  );
});

/** Whether Terraform has all answers and waits for the two servers to boot. */
function onlyPolling(): boolean {
  const requests = read('requests.jsonl').trim().split('\n').slice(-20);
  return requests.length === 20 && requests.every((line) => line.includes('"/v1/actions?id='));
}

const readWorld = () => read('world.json');

function read(file: string): string {
  const path = join(directory, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
