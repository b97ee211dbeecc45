import { expect, test } from '@jest/globals';
import type { Outcome } from '../../lib/release/bring.ts';
import { outcomeText, statusText } from '../src/text.ts';

const lease = { token: 7, owner: 'ci', run: '', taken: 'noon', expires: 0 };
const server = {
  host: 'app-1',
  release: '1.0.0-0a1b2c3d',
  releasing: '',
  unfinished: '',
  missing: [],
  outOfRotation: false,
  maintenance: false,
  lease,
  held: false,
  slots: [],
};
const notesOf = (...servers: (typeof server)[]) => statusText(servers).split('\n').slice(1);

test('whether the environment is held is for the servers to say, whatever the clock here', () => {
  const now = Date.now() / 1000;
  const [held, free] = [now - 600, now + 600].map((expires) => ({ ...lease, expires }));
  const notes = notesOf(
    { ...server, held: true, lease: held ?? lease },
    { ...server, host: 'app-2', lease: free ?? lease },
  );
  expect(notes.filter((line) => line.includes('held by'))).toEqual([
    'app-1: held by ci (no run URL) since noon',
  ]);
});

test('a server on which nothing runs is told of, and a service that should run', () => {
  expect(notesOf({ ...server, missing: ['auth-service', 'caddy'] as never[] })).toEqual([
    expect.stringMatching(/^app-1 +nothing runs +1\.0\.0-0a1b2c3d$/),
    'app-1: auth-service, caddy should run, and does not',
  ]);
});

test('a release that is under way is not taken for one that ended half-way', () => {
  const held = { ...server, held: true };
  expect(
    notesOf({ ...held, releasing: '1.1.0-abc' }, { ...server, unfinished: '1.1.0-abc' }),
  ).toEqual([
    expect.any(String),
    expect.any(String),
    'app-1: held by ci (no run URL) since noon',
    'app-1: 1.1.0-abc is being released',
    'app-1: a run ended in the middle of 1.1.0-abc',
  ]);
});

test('a server that cannot be asked hides no other', () => {
  const text = statusText([
    { host: 'app-1', problem: 'Docker does not answer.' },
    { ...server, host: 'app-2' },
  ]);
  expect(text.split('\n').slice(1)).toEqual([
    'app-1                 cannot be asked',
    expect.stringMatching(/^app-2 +nothing runs/),
    'app-1: cannot be asked: Docker does not answer.',
  ]);
});

test('a failure is told with all that is known of the container', () => {
  const evidence = {
    host: 'app-1',
    service: 'auth-service',
    slot: 'b',
    status: 'exited',
    exitCode: 137,
    outOfMemory: true,
    restarts: 2,
    lastHealth: 'exit 1: connection refused',
    listening: ['*:8081'],
    log: 'started\nkilled',
  };
  const outcome = { version: '2.0.0', status: 'rolled-back', problem: 'It died.', rows: [] };
  const text = outcomeText({
    ...outcome,
    evidence,
    started: 0,
    ended: 1_000,
  } as unknown as Outcome);
  expect(text.split('\n').slice(1)).toEqual([
    '2.0.0: rolled-back in 1.0 s',
    'It died.',
    'auth-service-b on app-1: exited, exit code 137, out of memory, 2 restarts',
    'Listens on: *:8081',
    'Last health check: exit 1: connection refused',
    'Last lines of its log:',
    'started',
    'killed',
  ]);
});
