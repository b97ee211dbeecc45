import { expect, test } from '@jest/globals';
import { envDifference, type HostPreview, tellPreview } from '../preview.ts';

test('a variable named like a secret is told to differ, and not what it is', () => {
  const difference = envDifference(
    { PORT: '1', DB_PASSWORD: 'old' },
    { DB_PASSWORD: 'new', A: 'b' },
  );
  expect(difference).toMatch(
    /^\+A=b\n-DB_PASSWORD=\(hidden, \w{6}\)\n\+DB_PASSWORD=\(hidden, \w{6}\)\n-PORT=1\n$/,
  );
});

test('the log is told of each server what changes, and of nothing that stays', () => {
  const server: HostPreview = {
    host: 'app-1',
    plan: {
      edge: 'replace',
      services: [
        { service: 'auth', from: '1.0', to: '1.1', steps: [step('start'), step('prove')] },
        { service: 'books', from: '1.0', to: '1.0', steps: [] },
        { service: 'ledger', from: '0.9', to: '', steps: [step('end')] },
      ],
      join: false,
    },
    differences: [{ file: '.env', difference: '-A=1\n+A=2\n' }],
    secrets: [],
    images: [],
  };
  const log: string[] = [];
  const found = { release: 'r1', version: '1.1', hosts: [server] };
  tellPreview(found, ({ kind, host, what }) => log.push(`${kind} ${host} ${what}`));
  expect(log).toEqual([
    'note app-1 caddy: replace',
    'note app-1 auth: 1.0 → 1.1',
    'note app-1 ledger: 0.9 → none',
    'note app-1 .env:',
    'note app-1   -A=1',
    'note app-1   +A=2',
  ]);
});

function step(kind: 'start' | 'prove' | 'end') {
  return { kind, service: 'auth', slot: 'a' } as const;
}
