import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { run } from '../../lib/process/run.ts';
import { withHosts } from '../hosts.ts';

const folder = mkdtempSync(join(tmpdir(), 'compta-hosts-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a name of its own is known to the program that is given it, and to nobody else', async () => {
  const hosts = join(folder, 'hosts');
  const before = readFileSync('/etc/hosts', 'utf8');
  writeFileSync(hosts, `${before}\n127.77.15.10 shop.compta.test\n`);
  const ask = ['getent', 'hosts', 'shop.compta.test'];
  const { stdout } = await run(withHosts(hosts, ask));
  expect(stdout).toMatch(/^127\.77\.15\.10\s+shop\.compta\.test$/m);
  expect((await run(ask, { allowedExitCodes: [0, 2] })).stdout).toBe('');
  expect(readFileSync('/etc/hosts', 'utf8')).toBe(before);
  expect(withHosts(undefined, ask)).toEqual(ask);
});
