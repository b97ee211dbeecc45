import { expect, test } from '@jest/globals';
import { mayLeave } from '../connect.ts';
import { Host } from '../host.ts';

/** A server that sees whether others serve, and is in rotation or not. */
class Onlooker extends Host {
  readonly #seen: number;
  readonly #out: boolean;

  readonly #runs: boolean;

  constructor(name: string, seen: number, { out = false, runs = true } = {}) {
    super(name, '', () => Promise.reject(new Error('nobody is there')));
    this.#seen = seen;
    this.#out = out;
    this.#runs = runs;
  }

  override async http(url: string) {
    return { status: url === 'http://10.0.0.3/healthz' ? this.#seen : 0, body: '' };
  }

  override async state() {
    const edge = { id: '', image: 'caddy', config: '', address: '' };
    return { slots: [], edge: this.#runs ? edge : undefined, outOfRotation: this.#out };
  }
}

const absent = [{ name: 'app-3', address: '10.0.0.3' }];

test('a server that is down is left', async () => {
  const others = [new Onlooker('app-1', 0), new Onlooker('app-2', 0, { out: true })];
  await expect(mayLeave(others, absent)).resolves.toBeUndefined();
});

test('one that is silent over SSH alone would go on serving an old release, and is not left', async () => {
  const others = [new Onlooker('app-1', 0), new Onlooker('app-2', 200)];
  await expect(mayLeave(others, absent)).rejects.toThrow(
    'app-3 does not answer over SSH, but serves users, and would go on with what it has',
  );
});

test('one that alone may know the newest release is not left', async () => {
  const others = [
    new Onlooker('app-1', 0, { out: true }),
    new Onlooker('app-2', 503, { runs: false }),
  ];
  await expect(mayLeave(others, absent)).rejects.toThrow(
    'app-1, app-2: out of rotation, which may be for a release that only app-3 has. Bring that back',
  );
});

test('before the first release nobody knows of another', async () => {
  const others = [new Onlooker('app-1', 0, { runs: false })];
  await expect(mayLeave(others, absent)).resolves.toBeUndefined();
});
