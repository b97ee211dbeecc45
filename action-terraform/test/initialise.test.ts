import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { initialiseBeside } from '../src/session.ts';

/** In which order a step does what it can do beside Terraform. */
let folder: string;
let order: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compta-initialise-'));
  order = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const lasting = (name: string, ms: number) => async () => {
  order.push(`${name} begins`);
  await sleep(ms);
  order.push(`${name} ends`);
  return name;
};

const session = () => ({
  inputs: { backendConfig: [], workspace: 'default', directory: folder },
  runner: { env: {}, temp: folder, info: () => {} },
  env: {},
  cancelled: new AbortController().signal,
  terraform: ([command = '']: string[]) => lasting(command, 20)(),
});

describe('work beside Terraform', () => {
  it('begins when Terraform is at its own, and keeps nothing waiting that comes after', async () => {
    const next = lasting('next', 20);
    const work = async () => {
      order.push('work begins');
      while (!order.includes('next ends')) await sleep(5);
      order.push('work ends');
      return 'work';
    };
    expect(await initialiseBeside(session() as never, next, work)).toEqual(['next', 'work']);
    expect(order).toEqual([
      'init begins',
      'work begins',
      'init ends',
      'next begins',
      'next ends',
      'work ends',
    ]);
  });

  it('is done also when Terraform is not started at all, whose failure is told', async () => {
    const lock =
      'provider "registry.terraform.io/hetznercloud/hcloud" {\n  version = "1.57.0"\n}\n';
    writeFileSync(join(folder, '.terraform.lock.hcl'), lock);
    const next = lasting('next', 1);
    const work = lasting('work', 1);
    await expect(initialiseBeside(session() as never, next, work)).rejects.toMatchObject({
      reason: 'provider-refused',
    });
    expect(order).toEqual(['work begins', 'work ends']);
  });
});
