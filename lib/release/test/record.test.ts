import { expect, test } from '@jest/globals';
import { bring, type Circumstances } from '../bring.ts';
import { Host, LeaseLostError } from '../host.ts';
import { auditFile, historyFile, journalFile } from '../layout.ts';
import type { Lease } from '../lease.ts';
import type { Manifest } from '../manifest.ts';
import { recordAll } from '../record.ts';
import { type HistoryEntry, withOwn } from '../store.ts';

const manifest = (release: string): Manifest => ({
  release,
  version: release,
  environment: 'staging',
  services: {},
  order: [],
  versionPaths: {},
  edge: { image: 'caddy', config: 'c' },
  createdAt: '',
});

/** A server that takes whatever it is told, unless something is to go wrong. */
class Willing extends Host {
  readonly history: string[] = [];
  /** What was done, by its file or a word of the command. */
  readonly done: string[] = [];
  /** What fails, by a word of the command. */
  fails = '';
  /** Milliseconds that a line of history takes. */
  slow = 0;

  constructor() {
    super('app-2', '', () => Promise.reject(new Error('nobody is there')));
    this.token = 1;
  }

  override async change(command: readonly string[]) {
    if (command.includes(this.fails)) throw new Error(`no ${this.fails}`);
    this.done.push(command.includes('current') ? 'current' : String(command.at(-2)));
    return { code: 0, stdout: '', stderr: '' };
  }

  override async read() {
    return { code: 0, stdout: '', stderr: '' };
  }

  override async append(path: string, line: string): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.slow));
    this.done.push(path);
    if (path === historyFile) this.history.push(line);
  }

  override async content(): Promise<string> {
    return '';
  }
}

const how = { by: 'me', run: '', keep: 3, tell: () => {} } as unknown as Circumstances;
const at = '2026-01-01T00:00:00.000Z';
const recorded = (...hosts: Host[]): Promise<void> => {
  const targets = hosts.map((host) => ({
    host,
    current: manifest('r1'),
    target: manifest('r3'),
  }));
  return recordAll(targets, manifest('r2'), 'deploy', how, { begun: Date.now(), at }, false);
};

test('a server that missed a release notes what the environment ran before, not what it ran', async () => {
  const host = new Willing();
  await recorded(host);
  expect(host.history.map((line) => JSON.parse(line))).toMatchObject([
    { action: 'deploy', release: 'r3', previous: 'r2' },
  ]);
});

test('history and audit log know of a release before it is the current one', async () => {
  const host = new Willing();
  await recorded(host);
  expect(host.done.slice(0, 4)).toEqual([historyFile, auditFile, 'current', journalFile]);
});

test('a release that is through does not fail, nor go back, as nothing can be pruned', async () => {
  const host = new Willing();
  host.fails = 'prune';
  await recorded(host);
  expect(host.history).toHaveLength(1);
});

test('when one server cannot record it, the others are done before anything goes back', async () => {
  const [broken, slow] = [new Willing(), new Willing()];
  broken.fails = 'current';
  slow.slow = 100;
  await expect(recorded(broken, slow)).rejects.toThrow('no current');
  expect(slow.history).toHaveLength(1);
});

test('what fails once the lease is lost fails for that reason, and takes nothing back', async () => {
  const lost = new LeaseLostError('app-2: another run holds it');
  const lease = { lost: AbortSignal.abort(lost) } as Lease;
  const target = {
    ...manifest('r3'),
    order: ['auth'],
    services: { auth: { image: 'auth', version: '3', config: 'c' } },
    versionPaths: { auth: '/version' },
  };
  const { signal: cancelled } = new AbortController();
  const asked = { ...how, cancelled, baseUrl: 'no address' };
  const files = { compose: '', env: '', edgeEnv: '', caddyfile: '' };
  const release = { manifest: target, files };
  await expect(bring([], { release, action: 'deploy' }, asked, lease)).rejects.toBe(lost);
});

test('a server that is caught up learns what it missed, and keeps what it alone knows', () => {
  const entry = (at: string, release: string) => ({ at, release }) as HistoryEntry;
  const [first, missed, alone, last] = [
    entry('2026-01-01', 'r1'),
    entry('2026-01-02', 'r2'),
    entry('2026-01-03', 'r3'),
    entry('2026-01-04', 'r4'),
  ];
  expect(withOwn([first, missed, last], [first, alone])).toEqual([first, missed, alone, last]);
});
