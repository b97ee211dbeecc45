import { describe, expect, test } from '@jest/globals';
import type { Circumstances } from '../bring.ts';
import { deploy, pullAbsent, secondSlots, stage } from '../deploy.ts';
import { Host } from '../host.ts';
import type { Manifest } from '../manifest.ts';
import type { Slot } from '../slots.ts';
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
    memory: {},
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

test('a first deploy that lacks an image is refused before anything is fetched', async () => {
  const [auth, books] = [image('auth', '1'), image('books', '1')];
  const empty = new Lacking('app-1', [auth, books]);
  await expect(deploy([empty], wanted({ auth }), how)).rejects.toThrow(
    'books has never been released to staging and `images` does not name it',
  );
  expect(empty.pulled).toEqual([]);
});

describe('memory for second slots is asked for', () => {
  const memory = { auth: 1, books: 2, ledger: 4 };
  const manifest = (digit: string): Manifest => ({
    ...buildRelease(wanted({ auth: image('auth', '1'), books: image('books', '1') }), undefined)
      .manifest,
    order: Object.keys(memory),
    services: Object.fromEntries(
      Object.keys(memory).map((service) => [service, component(service, digit)]),
    ),
  });
  const component = (service: string, digit: string) => ({
    image: image(service, digit),
    version: digit,
    config: '',
  });
  const slot = (service: string, name: 'a' | 'b', digit: string) =>
    ({ service, slot: name, ...component(service, digit), health: 'healthy' }) as unknown as Slot;
  const needed = (slots: Slot[], target: Manifest) =>
    secondSlots({ slots, edge: undefined, outOfRotation: false }, target, manifest('1'), memory);
  const serving = Object.keys(memory).map((service) => slot(service, 'a', '1'));

  test('for the two largest, as one starts while another ends', () => {
    expect(needed(serving, manifest('2'))).toBe(6);
  });

  test('for what changes alone', () => {
    const { auth = component('auth', '1') } = manifest('2').services;
    const target = { ...manifest('1'), services: { ...manifest('1').services, auth } };
    expect(needed(serving, target)).toBe(1);
    expect(needed(serving, manifest('1'))).toBe(0);
  });

  test('but not for one that a killed run has started already', () => {
    const left = [slot('ledger', 'b', '3'), slot('books', 'b', '2')];
    expect(needed([...serving, ...left], manifest('2'))).toBe(1);
  });
});
