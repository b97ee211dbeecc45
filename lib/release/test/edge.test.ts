import { expect, test } from '@jest/globals';
import { applyEdge } from '../edge.ts';
import { Host } from '../host.ts';
import { caddy } from '../layout.ts';
import type { Manifest } from '../manifest.ts';

/** A server whose Caddy answers at once. */
class Answering extends Host {
  /** When it left the rotation and came back, in milliseconds. */
  readonly turns: number[] = [];

  constructor() {
    super('app-1', '', () => Promise.reject(new Error('nobody is there')));
  }

  override async compose() {}

  override async change(command: readonly string[]) {
    if (command.includes(caddy.outOfRotation)) this.turns.push(Date.now());
    return { code: 0, stdout: '', stderr: '' };
  }

  override async state() {
    const edge = { id: 'ed9e', image: 'i', config: 'c', address: '172.18.0.3' };
    return { slots: [], edge, outOfRotation: true };
  }

  override async http() {
    return { status: 404, body: '' };
  }
}

test('the next server does not leave before the load balancer saw that this one is back', async () => {
  const host = new Answering();
  const target = { release: '1' } as Manifest;
  const change = { leave: true, stayOut: false, drainMs: 300 } as const;
  await applyEdge(host, target, change, () => {});
  const [left = 0, back = 0] = host.turns;
  // A timer may be a millisecond early.
  expect(back - left).toBeGreaterThanOrEqual(299);
  expect(Date.now() - back).toBeGreaterThanOrEqual(299);
});
