import { describe, expect, test } from '@jest/globals';
import { HostUnreachableError } from '../../ssh/errors.ts';
import { bring, type Circumstances, type Outcome } from '../bring.ts';
import { Host } from '../host.ts';
import { caddy, historyFile, journalFile } from '../layout.ts';
import type { Lease } from '../lease.ts';
import type { Manifest } from '../manifest.ts';
import type { Tell } from '../progress.ts';
import { type RollOptions, rollHosts } from '../roll.ts';
import type { HistoryEntry } from '../store.ts';
import type { Release } from '../target.ts';
import { pause } from '../waiting.ts';

/** Milliseconds that the load balancer needs to see who left or came back. */
const edgeDrain = 20;

/** Two releases that differ in Caddy's file alone. */
const release = (name: string): Manifest => ({
  release: name,
  version: name,
  environment: 'staging',
  services: {},
  order: [],
  versionPaths: {},
  edge: { image: 'caddy', config: name, caddyfile: `file of ${name}` },
  createdAt: '',
});
const [old, next] = [release('r1'), release('r2')];

const withFiles = (manifest: Manifest): Release => ({
  manifest,
  files: { compose: '', env: '', edgeEnv: '', caddyfile: '' },
});

/** A server with Caddy, without a service. */
class Server extends Host {
  readonly fleet: Fleet;
  out = false;
  cameBack = 0;
  /** How often it left the rotation. */
  left = 0;
  runs: string | undefined = 'r1';
  /** Caddyfile that lies there, and the one that Caddy has read. */
  lies = 'file of r1';
  hasRead = 'file of r1';
  /** Release whose Caddy does not start here. */
  refuses = '';
  /** What the journal says, and what it said last. */
  journal: string | undefined;
  said = '';

  constructor(fleet: Fleet, name: string) {
    super(name, '', () => Promise.reject(new Error('nobody is there')));
    this.fleet = fleet;
    this.token = 7;
  }

  /** Whether the load balancer is sure to send it requests. */
  get used(): boolean {
    // A timer may be a millisecond early.
    return this.runs !== undefined && !this.out && Date.now() - this.cameBack >= edgeDrain - 5;
  }

  override async change(command: readonly string[]) {
    this.fleet.act();
    const [program] = command;
    if (command.includes(caddy.outOfRotation)) {
      if (this.out && program === 'rm') this.cameBack = Date.now();
      this.out = program === 'touch';
      if (this.out) this.left += 1;
    }
    if (command.includes(journalFile)) this.journal = undefined;
    const source = command.find((word) => word.endsWith('/caddy/Caddyfile'));
    if (source) this.lies = `file of ${source.split('/').at(-3)}`;
    this.fleet.look();
    return { code: 0, stdout: '', stderr: '' };
  }

  override async compose(name: string, ...words: string[]) {
    this.fleet.act();
    if (name === this.fleet.cutBy[0]) {
      this.fleet.silentUntil = Date.now() + 500;
      this.fleet.cutBy.shift();
      this.fleet.answer();
    }
    if (name === this.refuses) throw new Error(`${this.name} cannot start Caddy`);
    if (words.includes('reload')) this.hasRead = this.lies;
    else if (this.runs !== name) {
      if (this.runs === undefined) this.cameBack = Date.now();
      this.runs = name;
      this.hasRead = this.lies;
    }
  }

  override async write(path: string, content: string) {
    this.fleet.act();
    if (path === journalFile) this.journal = this.said = content;
  }

  override async state() {
    this.fleet.answer();
    const config = this.runs ?? '';
    const edge = { id: 'ed9e', image: 'caddy', config, address: '172.18.0.3' };
    return {
      slots: [],
      edge: this.runs === undefined ? undefined : edge,
      outOfRotation: this.out,
      caddyfile: this.lies,
    };
  }

  override async http() {
    return { status: 404, body: '' };
  }

  override async read() {
    this.fleet.answer();
    return { code: 0, stdout: '', stderr: '' };
  }

  override async content(path: string) {
    return path === journalFile ? this.journal : undefined;
  }

  readonly history: HistoryEntry[] = [];

  override async append(path: string, line: string) {
    if (path === historyFile) this.history.push(JSON.parse(line));
  }
}

const limits = { edgeDrain, healthTimeout: 1_000, drainTimeout: 1_000, tell: () => {} };
const never = new AbortController().signal;

class Fleet {
  readonly servers: Server[];
  /** Fewest servers that the load balancer could send requests to at any time. */
  fewest: number;
  /** What all of them know. */
  readonly history: HistoryEntry[] = [];
  /** Changes until the run is killed. */
  remaining = Number.POSITIVE_INFINITY;

  constructor(count: number) {
    this.servers = Array.from({ length: count }, (_, i) => new Server(this, `app-${i + 1}`));
    this.fewest = count;
  }

  /** Until when nobody is reached, and what makes it begin. */
  silentUntil = 0;
  cutBy: string[] = [];

  answer(): void {
    if (Date.now() < this.silentUntil) throw new HostUnreachableError('app', 'nobody is there');
  }

  act(): void {
    this.answer();
    if (this.remaining <= 0) throw new Error('killed');
    this.remaining -= 1;
  }

  look(): void {
    const used = this.servers.filter((server) => server.used).length;
    this.fewest = Math.min(this.fewest, used);
  }

  roll(target: Manifest, batch: number, tell: Tell = () => {}): Promise<void> {
    const options: RollOptions = { ...limits, batch, tell, servers: this.servers, stop: never };
    const targets = this.servers.map((host) => ({ host, target, current: old }));
    return rollHosts(targets, [], options);
  }

  deploy(target: Manifest, batch: number, more: Partial<Circumstances> = {}): Promise<Outcome> {
    const how: Circumstances = {
      ...limits,
      batch,
      by: '',
      run: '',
      lockTimeout: 0,
      keep: 3,
      rollbackOnFailure: true,
      cancelled: never,
      ...more,
    };
    const standings = this.servers.map((host) => ({ host, current: old, history: this.history }));
    const work = { release: withFiles(target), action: 'deploy' } as const;
    return bring(standings, work, how, { lost: never } as Lease);
  }
}

test('as many servers are released to at a time as it was told', async () => {
  const log: string[] = [];
  const fleet = new Fleet(5);
  // New ones: nobody has to wait for another as none leaves a rotation.
  for (const server of fleet.servers) server.runs = undefined;
  await fleet.roll(next, 2, ({ kind, host }) => log.push(`${kind} ${host}`));
  const most = log.reduce(
    ({ now, most }, line) => {
      const after = now + (line.startsWith('begin') ? 1 : -1);
      return { now: after, most: Math.max(most, after) };
    },
    { now: 0, most: 0 },
  ).most;
  expect(most).toBe(2);
  expect(log.indexOf('begin app-3')).toBeGreaterThan(log.indexOf('end app-1'));
  expect(log.indexOf('begin app-3')).toBeGreaterThan(log.indexOf('end app-2'));
  expect(fleet.servers.map(({ runs }) => runs)).toEqual(Array(5).fill('r2'));
});

describe('when Caddy itself changes', () => {
  test('one server after the other leaves, however many are released to at a time', async () => {
    const fleet = new Fleet(3);
    await fleet.roll(next, 3);
    expect(fleet.servers.map(({ runs, out }) => [runs, out])).toEqual(Array(3).fill(['r2', false]));
    expect(fleet.fewest).toBe(2);
  });

  test.each([
    ['is out', { out: true }],
    ['is new', { runs: undefined }],
  ])('nobody leaves before one that %s is back', async (_what, how) => {
    const fleet = new Fleet(2);
    const [serving, away] = fleet.servers;
    Object.assign(away as Server, how);
    await fleet.roll(next, 2);
    expect(fleet.servers.map(({ runs, out }) => [runs, out])).toEqual(Array(2).fill(['r2', false]));
    expect(serving?.left).toBe(1);
    expect(fleet.fewest).toBe(1);
  });

  test('when it fails on one server, no other leaves', async () => {
    const fleet = new Fleet(3);
    const [broken, ...others] = fleet.servers;
    if (broken) broken.refuses = 'r2';
    await expect(fleet.roll(next, 3)).rejects.toThrow('app-1 cannot start Caddy');
    expect(others.map(({ runs, out }) => [runs, out])).toEqual(Array(2).fill(['r1', false]));
  });

  test('who is out goes back first, and again one after the other', async () => {
    const fleet = new Fleet(2);
    const [broken, done] = fleet.servers;
    if (broken) broken.refuses = 'r2';
    // By a run that was killed.
    if (done) Object.assign(done, { runs: 'r2', lies: 'file of r2', hasRead: 'file of r2' });
    expect(await fleet.deploy(next, 2)).toMatchObject({ status: 'rolled-back' });
    expect(fleet.servers.map(({ runs, out }) => [runs, out])).toEqual(Array(2).fill(['r1', false]));
    expect(fleet.servers.map(({ left }) => left)).toEqual([2, 1]);
    expect(fleet.fewest).toBe(1);
  });

  test('the only one that serves is not taken out: nobody would be left', async () => {
    const fleet = new Fleet(1);
    await fleet.roll(next, 1);
    expect(fleet.servers[0]).toMatchObject({ runs: 'r2', out: false, left: 0 });
  });
});

test.each([old, next])(
  'a run that is killed, after whichever change, is made up for by $release',
  async (target) => {
    for (let changes = 0; ; changes++) {
      const fleet = new Fleet(2);
      fleet.remaining = changes;
      const { status } = await fleet.deploy(next, 2);
      if (status === 'deployed') {
        expect(changes).toBeGreaterThan(15);
        return;
      }
      fleet.remaining = Number.POSITIVE_INFINITY;
      await pause(edgeDrain);
      await fleet.deploy(target, 2);
      const { release, edge } = target;
      const whole = { runs: release, lies: edge.caddyfile, hasRead: edge.caddyfile, out: false };
      const ends = fleet.servers.map((server) => {
        const { runs, lies, hasRead, out } = server;
        return { runs, lies, hasRead, out };
      });
      expect({ changes, ends }).toEqual({ changes, ends: [whole, whole] });
      expect(fleet.fewest).toBeGreaterThan(0);
    }
  },
);

test("a Caddyfile that a killed run left is replaced by the release's own, and read", async () => {
  const fleet = new Fleet(2);
  const [left] = fleet.servers;
  if (!left) throw new Error('there are two');
  // Killed before Caddy was replaced; the server booted since.
  Object.assign(left, { out: true, lies: 'file of r2', hasRead: 'file of r2' });
  await fleet.roll(old, 1);
  expect(left).toMatchObject({ out: false, runs: 'r1', lies: 'file of r1', hasRead: 'file of r1' });
});

test('the journal says what is done, for whom, under which lease', async () => {
  const fleet = new Fleet(1);
  await fleet.roll(next, 1);
  expect(JSON.parse(fleet.servers[0]?.said ?? '')).toMatchObject({
    release: 'r2',
    step: 'replace caddy',
    token: 7,
  });
});

test('on the way back it says what is taken back, which a rollback after a kill then does', async () => {
  const fleet = new Fleet(1);
  const [broken] = fleet.servers;
  if (broken) broken.refuses = 'r2';
  expect(await fleet.deploy(next, 1)).toMatchObject({ status: 'rolled-back' });
  expect(JSON.parse(broken?.said ?? '')).toMatchObject({
    release: 'r1',
    undoes: 'r2',
    step: 'replace caddy',
  });
  expect(broken?.history).toMatchObject([{ action: 'automatic-rollback', undoes: 'r2' }]);
  expect(broken?.runs).toBe('r1');
});

test('who releases again what is current takes back what a killed run had begun', async () => {
  const fleet = new Fleet(2);
  const [left, kept] = fleet.servers;
  if (!left || !kept) throw new Error('there are two');
  Object.assign(left, { runs: 'r2', lies: 'file of r2', hasRead: 'file of r2', refuses: 'r1' });
  left.journal = JSON.stringify({ release: 'r2', step: 'replace caddy', token: 1 });
  expect(await fleet.deploy(old, 2)).toMatchObject({ status: 'failed' });
  for (const { said } of fleet.servers) {
    expect(JSON.parse(said)).toMatchObject({ release: 'r1', undoes: 'r2' });
  }
  left.refuses = '';
  expect(await fleet.deploy(old, 2)).toMatchObject({ status: 'deployed' });
  expect(left.runs).toBe('r1');
});

test('what a killed run has swapped, and the next one records, is its deploy', async () => {
  const fleet = new Fleet(2);
  for (const server of fleet.servers) {
    Object.assign(server, { runs: 'r2', lies: 'file of r2', hasRead: 'file of r2' });
  }
  expect(await fleet.deploy(next, 2)).toMatchObject({ status: 'deployed' });
  expect(fleet.servers.flatMap(({ history }) => history)).toHaveLength(2);
  expect(await fleet.deploy(old, 2)).toMatchObject({ status: 'deployed' });
  expect(await fleet.deploy(old, 2)).toMatchObject({ status: 'unchanged' });
});

test('the history tells what failed, and never goes back in time', async () => {
  const fleet = new Fleet(2);
  const [broken] = fleet.servers;
  if (broken) broken.refuses = 'r2';
  const later = new Date(Date.now() + 3_600_000).toISOString();
  fleet.history.push({ at: later, action: 'deploy', release: 'r1' } as HistoryEntry);
  expect(await fleet.deploy(next, 2)).toMatchObject({ status: 'rolled-back' });
  const told = fleet.servers.flatMap(({ history }) => history);
  expect(told).toHaveLength(2);
  for (const { at, ...entry } of told) {
    expect(entry).toMatchObject({ action: 'automatic-rollback', reason: 'r2 failed' });
    expect(at > later).toBe(true);
  }
});

test.each([
  ['in a release', ['r2']],
  ['in a release and on the way back', ['r2', 'r1']],
])('servers that cannot be reached for a moment, %s, all go back', async (_when, cuts) => {
  const fleet = new Fleet(2);
  fleet.cutBy = cuts;
  expect(await fleet.deploy(next, 1)).toMatchObject({ status: 'rolled-back' });
  expect(fleet.cutBy).toEqual([]);
  expect(fleet.servers.map(({ runs, out }) => [runs, out])).toEqual(Array(2).fill(['r1', false]));
});

test('what fails though it is current already is not called rolled back: nothing was before it', async () => {
  const fleet = new Fleet(2);
  const [broken] = fleet.servers;
  // Somebody removed its Caddy.
  Object.assign(broken as Server, { runs: undefined, refuses: 'r1' });
  const { status, problem } = await fleet.deploy(old, 1);
  expect({ status, problem }).toEqual({ status: 'failed', problem: 'app-1 cannot start Caddy' });
  expect(fleet.servers.flatMap(({ history }) => history)).toEqual([]);
});

test('a job that is cancelled while everything goes back is cancelled, not failed', async () => {
  const fleet = new Fleet(2);
  const [broken] = fleet.servers;
  if (broken) broken.refuses = 'r2';
  const job = new AbortController();
  const tell: Tell = ({ what = '' }) => {
    if (what.startsWith('Rolling back')) job.abort(new Error('The job was cancelled.'));
  };
  const deploying = fleet.deploy(next, 1, { tell, cancelled: job.signal });
  await expect(deploying).rejects.toThrow('The job was cancelled.');
});
