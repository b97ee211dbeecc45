import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openWorld, saveWorld } from '../world.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'world-'));
  file = join(folder, 'world.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a world of an earlier version gets what was added since', () => {
  const world = openWorld(file);
  const { image, certificate, floating_ip, ...earlier } = world.records;
  expect([image, certificate, floating_ip]).toEqual([[], [], []]);
  const server = [{ id: 1, name: 'a', status: 'running' }];
  const load_balancer = [{ id: 2, name: 'lb', publicIp: '127.77.0.10' }];
  writeFileSync(file, JSON.stringify({ ...world, records: { ...earlier, server, load_balancer } }));
  const { records } = openWorld(file);
  expect(records).toMatchObject({ image: [], certificate: [], floating_ip: [] });
  expect(records.server[0]).toMatchObject({ status: 'running', rescueEnabled: false, iso: null });
  expect(records.load_balancer[0]).toMatchObject({ publicIp: '127.77.0.10', dnsPtr: [] });
});

test('what was saved is what is opened', () => {
  const world = openWorld(file);
  saveWorld(file, { ...world, nextId: 4711 });
  expect(openWorld(file)).toEqual({ ...world, nextId: 4711 });
});

test('a file that is no JSON is named', () => {
  writeFileSync(file, '{');
  expect(() => openWorld(file)).toThrow(`${file} is not JSON`);
});
