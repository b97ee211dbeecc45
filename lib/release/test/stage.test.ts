import { expect, test } from '@jest/globals';
import type { Circumstances } from '../bring.ts';
import { pullAbsent, stage } from '../deploy.ts';
import { Host } from '../host.ts';
import { buildRelease, type Wanted } from '../target.ts';

/** A server that lacks some images, and fetches them when it is told. */
class Lacking extends Host {
  readonly absent: Set<string>;
  readonly pulled: string[] = [];
  /** Bytes free for images. */
  disk = 9 * 1024 ** 3;

  constructor(name: string, absent: string[]) {
    super(name, '', () => Promise.reject(new Error('nobody is there')));
    this.absent = new Set(absent);
    this.token = 1;
  }

  override async read([, , , name, ...words]: readonly string[]) {
    const images = words.filter((word) => this.absent.has(word));
    const facts = ['27.0', '2.30', this.disk, 0];
    if (name === 'preflight') return { code: 0, stdout: facts.join('\n'), stderr: '' };
    if (name === 'pull') {
      this.pulled.push(...images);
      for (const image of images) this.absent.delete(image);
    }
    return { code: 0, stdout: images.join('\n'), stderr: '' };
  }

  override async change() {
    return { code: 0, stdout: '', stderr: '' };
  }

  override async content() {
    return undefined;
  }
}

const image = (service: string, digit: string) => `${service}@sha256:${digit.repeat(64)}`;
const wanted = (images: Record<string, string>): Wanted => ({
  environment: 'staging',
  version: '1.0.0',
  images,
  compose: {
    text: '',
    project: 'compta',
    order: ['auth', 'books'],
    versionPaths: {},
    definitions: { auth: {}, books: {} },
    edge: {},
    secondSlots: 0,
  },
  caddyfile: '',
  variables: { CADDY_IMAGE: image('caddy', 'c') },
  secrets: {},
});
const how = { tell: () => {}, cancelled: new AbortController().signal } as unknown as Circumstances;

test('images that another run pruned, or a new server never had, are fetched under the lease', async () => {
  const auth = { 1: image('auth', '1'), 2: image('auth', '2') };
  const books = image('books', '1');
  const { manifest: current } = buildRelease(wanted({ auth: auth[1], books }), undefined);
  // Of what runs already nothing is asked: that its image went is no reason to refuse a release.
  const serving = new Lacking('app-1', [auth[2], books]);
  const fresh = new Lacking('app-2', [auth[2], books, image('caddy', 'c')]);
  const line = { at: '2026-01-01', action: 'deploy', release: current.release } as never;
  const standings = [
    { host: serving, current, history: [line] },
    { host: fresh, current: undefined, history: [] },
  ];
  await stage(standings, wanted({ auth: auth[2] }), how);
  expect(serving.pulled).toEqual([auth[2]]);
  expect(fresh.pulled.toSorted()).toEqual([auth[2], books, image('caddy', 'c')].toSorted());
});

test('nothing is fetched onto a disk that has no room for it; what is there needs none', async () => {
  const [auth, books] = [image('auth', '1'), image('books', '1')];
  const full = new Lacking('app-1', [auth]);
  full.disk = 1024;
  await expect(pullAbsent(full, [auth, books], how)).rejects.toThrow(
    'app-1 has 0.0 GiB free for images and needs 1.0 GiB.',
  );
  expect(full.pulled).toEqual([]);
  await pullAbsent(full, [books], how);
});
