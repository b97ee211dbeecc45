import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { CommandFailed } from '../../lib/process/run.ts';
import { explained, type Lock, lockIn } from '../src/failure.ts';
import { locked, milliseconds } from '../src/locking.ts';
import {
  deadOwner,
  type Machine,
  type Owner,
  otherOwners,
  recordOwner,
  whoWeAre,
} from '../src/owners.ts';
import { keepingState } from '../src/rescue.ts';
import { startWorld, TOKEN, type World } from './world.ts';

describe("the death of a lock's owner", () => {
  const taken = Date.parse('2026-11-22T12:00:00Z');
  const lock: Lock = {
    id: 'id',
    who: 'runner@host',
    operation: 'OperationTypeApply',
    created: '2026-11-22 12:00:00.123456 +0000 UTC',
  };
  const owner: Owner = {
    record: '1-1.json',
    who: 'runner@host',
    bootId: 'b1',
    pidNamespace: 'pid:[1]',
    run: 'r',
    started: taken - 60_000,
    until: taken + 300_000,
  };
  const machine: Machine = {
    who: 'runner@host',
    bootId: 'b1',
    pidNamespace: 'pid:[1]',
    running: [],
  };
  const container = { ...owner, pidNamespace: 'pid:[2]' };

  it.each<[string, boolean, Partial<Lock>, Owner[], Partial<Machine>]>([
    ['is proven when nothing of its time runs here', true, {}, [owner], {}],
    ['is proven by a reboot', true, {}, [{ ...owner, bootId: 'b0' }], { running: [taken - 1] }],
    [
      'is not proven while a Terraform of its time runs',
      false,
      {},
      [owner],
      { running: [taken - 5_000] },
    ],
    ['does not depend on a later Terraform', true, {}, [owner], { running: [taken + 60_000] }],
    ['is not proven for another machine', false, { who: 'runner@other' }, [owner], {}],
    ['is not proven for a person at the same machine', false, {}, [], {}],
    [
      'is not proven by a step that began later',
      false,
      {},
      [{ ...owner, started: taken + 60_000 }],
      {},
    ],
    [
      'is not proven by a step that was over before',
      false,
      {},
      [{ ...owner, until: taken - 1 }],
      {},
    ],
    [
      'is not proven by an old step and a reboot',
      false,
      {},
      [{ ...owner, bootId: 'b0', until: taken - 1 }],
      {},
    ],
    ['is not proven where it runs out of our sight', false, {}, [container], {}],
    [
      'is not proven while another that could be it runs out of our sight',
      false,
      {},
      [container, { ...owner, started: taken - 1_000 }],
      {},
    ],
    ['is not proven by a date that cannot be read', false, { created: 'unknown' }, [owner], {}],
  ])('%s', (_what, proven, lockMore, owners, machineMore) => {
    const dead = deadOwner({ ...lock, ...lockMore }, owners, { ...machine, ...machineMore });
    expect(dead !== undefined).toBe(proven);
  });
});

describe('the records of owners', () => {
  it('tell who they are where a container gave them a user id without a name', () => {
    const nameless = () => {
      throw new Error('uv_os_get_passwd returned ENOENT');
    };
    expect(whoWeAre(nameless, { USER: 'ci' })).toBe(`ci@${hostname()}`);
    expect(whoWeAre(nameless, {})).toBe(`@${hostname()}`);
  });

  it('outlive one of them that was cut short by a kill', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'compta-owners-'));
    const env = { RUNNER_TOOL_CACHE: folder };
    const own = await recordOwner(env, 300_000);
    const [directory = ''] = readdirSync(folder);
    const record = readFileSync(join(folder, directory, own), 'utf8');
    expect(await otherOwners(env, own)).toEqual([]);
    writeFileSync(join(folder, directory, '1-1.json'), record);
    writeFileSync(join(folder, directory, '1-2.json'), '');
    mkdirSync(join(folder, directory, '1-3.json')); // As good as gone while we looked.
    expect(await otherOwners(env, own)).toEqual([{ ...JSON.parse(record), record: '1-1.json' }]);
    rmSync(folder, { recursive: true });
  });
});

describe('a lock timeout', () => {
  it.each([
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
  ])('of %s is %i ms', (text, expected) => {
    expect(milliseconds(text)).toBe(expected);
  });
});

describe('a lock that is let go while Terraform looks who holds it', () => {
  const released = `Error: Error acquiring the state lock

Error message: operation error S3: PutObject, https response error StatusCode:
412, RequestID: 1, HostID: 2, api error PreconditionFailed: At least one of
the pre-conditions you specified did not hold
unable to retrieve file from S3 bucket 'b' with key 'tiny/terraform.tfstate.tflock':
operation error S3: GetObject, https response error StatusCode: 404,
RequestID: 3, HostID: 4, NoSuchKey:
`;
  const refused = released.replace('\n412', '\n403').replace('PreconditionFailed', 'AccessDenied');

  /** What Terraform is told about its patience until it does not fail any more. */
  async function attempts(stderr: string): Promise<string[]> {
    const folder = mkdtempSync(join(tmpdir(), 'compta-owners-'));
    const asked: string[] = [];
    const session = {
      inputs: { lockTimeout: '1m' },
      runner: { env: { RUNNER_TOOL_CACHE: folder }, info: () => {} },
      terraform: async ([lockTimeout = '']: string[]) => {
        asked.push(lockTimeout);
        if (asked.length > 1) return { exitCode: 0, stdout: '', stderr: '' };
        throw explained(new CommandFailed('terraform', 'failed', { exitCode: 1, stderr }));
      },
    };
    await locked(session as never, (lockTimeout) => [lockTimeout]).finally(() =>
      rmSync(folder, { recursive: true }),
    );
    return asked;
  }

  it('is asked for again', async () => {
    expect(await attempts(released)).toEqual(['0s', '15s']);
  });

  it('is another thing than a bucket that refuses to be written to', async () => {
    await expect(attempts(refused)).rejects.toMatchObject({ reason: 'state-locked' });
  });
});

describe('the record of a step that failed', () => {
  it.each<[string, string, string, number]>([
    ['stays when Terraform was killed', 'was killed by SIGKILL', '', 1],
    ['stays when Terraform was cancelled', 'was cancelled', 'Interrupt received.', 1],
    ['stays with the lock', 'failed', 'Error: Error releasing the state lock', 1],
    ['is gone when Terraform let go of the lock', 'failed', 'Error: no such image', 0],
  ])('%s', async (_what, reason, stderr, kept) => {
    const folder = mkdtempSync(join(tmpdir(), 'compta-owners-'));
    const session = {
      inputs: { lockTimeout: '1m' },
      runner: { env: { RUNNER_TOOL_CACHE: folder }, info: () => {} },
      terraform: async () => {
        throw explained(new CommandFailed('terraform', reason, { exitCode: 1, stderr }));
      },
    };
    await expect(locked(session as never, () => ['apply'])).rejects.toThrow();
    const [directory = ''] = readdirSync(folder);
    expect(readdirSync(join(folder, directory))).toHaveLength(kept);
    rmSync(folder, { recursive: true });
  });
});

describe('a lock that Terraform could not give back', () => {
  const unreachable =
    'operation error S3: https response error StatusCode: 503, api error ServiceUnavailable';
  let folder: string;
  let owners: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'compta-owners-'));
    owners = join(folder, '.compta-terraform-owners');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A step on states whose locks are `held`, by state; `terraform` says what a command does. */
  function stepOn(held: Map<string, string>, terraform: (argv: string[]) => void | Promise<void>) {
    const said: string[] = [];
    const session = {
      inputs: { lockTimeout: '1m', directory: folder },
      runner: {
        env: { RUNNER_TOOL_CACHE: folder, GITHUB_RUN_ID: '7' },
        info: () => {},
        warning: (text: string) => said.push(text),
      },
      cancelled: new AbortController().signal,
      terraform: async (argv: string[]) => {
        if (argv[0] === 'force-unlock') {
          for (const [state, info] of held) {
            if (lockIn(info)?.id === argv.at(-1)) held.delete(state);
          }
        } else await terraform(argv);
        return { exitCode: 0, stdout: '', stderr: '' };
      },
    };
    return { session: session as never, said };
  }

  /** As one that is held is told; the Terraform of another suite may delay the proof. */
  async function refuse(info = ''): Promise<never> {
    await sleep(100);
    return fail(info);
  }

  function fail(stderr: string): never {
    throw explained(new CommandFailed('terraform', 'failed', { exitCode: 1, stderr }));
  }

  let locks = 0;
  /** What Terraform tells of a lock that we take now. */
  function lockInfo(): string {
    locks += 1;
    const created = new Date().toISOString().replace('T', ' ').replace('Z', ' +0000 UTC');
    const who = whoWeAre(userInfo, process.env);
    return `Error: Error acquiring the state lock\n\nLock Info:\n  ID: lock-${locks}\n  Who: ${who}\n  Operation: OperationTypeApply\n  Created: ${created}\n`;
  }

  it('is freed by the same step, when the bucket is back and takes the state', async () => {
    const held = new Map<string, string>();
    let isBack = false;
    const { session, said } = stepOn(held, async () => {
      if (held.has('state')) await refuse(held.get('state'));
      if (isBack) return;
      held.set('state', lockInfo());
      // No apply is as short as the tick by which times of files are behind the clock.
      await sleep(50);
      writeFileSync(join(folder, 'errored.tfstate'), '');
      isBack = true;
      fail(`Error: Failed to save state\n${unreachable}\nError: Error releasing the state lock`);
    });
    await expect(
      keepingState(session, () => locked(session, () => ['apply'])),
    ).rejects.toMatchObject({ reason: 'api-unavailable' });
    expect(said).toEqual([
      expect.stringMatching(/^Freed the state lock .* its owner, .* run 7, ended on this machine/),
      expect.stringMatching(/^The backend took the state at the second attempt/),
    ]);
    expect(existsSync(join(folder, 'errored.tfstate'))).toBe(false);
    expect(readdirSync(owners)).toEqual([]);
  }, 120_000);

  it('of one state is freed after that of another one was', async () => {
    const held = new Map<string, string>();
    let isShut = true;
    const { session, said } = stepOn(held, async ([state = '']) => {
      if (held.has(state)) await refuse(held.get(state));
      if (!isShut) return;
      held.set(state, lockInfo());
      fail('Error: Error releasing the state lock');
    });
    for (const state of ['a', 'b']) {
      await expect(locked(session, () => [state])).rejects.toThrow();
      await sleep(5);
    }
    isShut = false;
    for (const state of ['b', 'a']) await locked(session, () => [state]);
    expect(said).toHaveLength(2);
    expect(readdirSync(owners)).toEqual([]);
  }, 120_000);
});

describe('an apply that was killed', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ bootTime: 1_500 });
  }, 180_000);
  afterAll(() => world?.stop());

  it('is healed by the next run: unlocked with a line that says so, and what exists is adopted', async () => {
    await world.step('plan', {}, { run: 1 });
    const applying = world.start('apply', {}, { run: 1 });
    await servers(2);
    const terraform = childrenOf(applying.child.pid ?? 0);
    expect(terraform).toHaveLength(1);
    applying.child.kill('SIGKILL');
    for (const pid of terraform) process.kill(pid, 'SIGKILL');
    await applying.result;
    await settled();

    const planned = await world.step('plan', {}, { run: 2 });
    expect(planned.stdout).not.toContain('::error');
    expect(planned.stdout).toMatch(
      /::warning title=State unlocked::Freed the state lock [0-9a-f-]+/,
    );
    expect(planned.stdout).toMatch(/module\.network\.hcloud_network\.this exists already/);
    expect(planned.summary).toMatch(/🔵 adopt/);
    expect(planned.outputs.destroy).toBe('0');

    const applied = await world.step('apply', {}, { run: 2 });
    expect(applied.stdout).not.toContain('::error');
    const keys = JSON.parse(readFileSync(applied.outputs['outputs-file'] ?? '', 'utf8'));
    for (const { name, labels } of await servers(4)) {
      const label = String(labels['host-key'])
        .slice(1, -1)
        .replaceAll('-', '+')
        .replaceAll('_', '/');
      expect(keys.servers.value[name].host_key.endsWith(label)).toBe(true);
    }
    const again = await world.step('plan', {}, { run: 3 });
    expect(again.outputs.changes).toBe('false');
  }, 180_000);

  /** Waits until the API has at least so many servers. */
  async function servers(
    count: number,
  ): Promise<{ name: string; labels: Record<string, string> }[]> {
    for (let attempt = 0; attempt < 300; attempt += 1) {
      const found = (await ask('/servers')).servers;
      if (found.length >= count) return found;
      await sleep(100);
    }
    throw new Error(`never ${count} servers`);
  }

  /** Actions that were started go on at Hetzner, whoever asked for them. */
  async function settled(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const { actions } = await ask('/actions?status=running');
      if (actions.length === 0) return;
      await sleep(100);
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted by shape, not by type
  async function ask(path: string): Promise<any> {
    const answer = await fetch(`${world.hetznerUrl}${path}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    return answer.json();
  }
});

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const after = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1);
        return Number(after?.split(' ')[1]) === parent;
      } catch {
        return false;
      }
    })
    .map(Number);
}
