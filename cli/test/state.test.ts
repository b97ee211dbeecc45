import { expect, test } from '@jest/globals';
import { Host } from '../../lib/release/host.ts';
import { historyFile, journalFile } from '../../lib/release/layout.ts';
import { history, status } from '../src/state.ts';

/** A server on which nothing runs, with a lease and these files; it is 100 there. */
class Server extends Host {
  expires = 0;
  docker = true;
  readonly files: Record<string, string> = {};

  constructor(name: string) {
    super(name, '', () => Promise.reject(new Error('nobody is there')));
  }

  override async state() {
    if (!this.docker) throw new Error('Cannot connect to the Docker daemon.');
    return { slots: [], edge: undefined, outOfRotation: false };
  }

  override async read() {
    const lease = { token: 7, owner: 'ci', run: '', taken: 'noon', expires: this.expires };
    return { code: 0, stdout: `100\n${JSON.stringify(lease)}`, stderr: '' };
  }

  override async content(path: string) {
    return this.files[path];
  }
}

test.each([
  ['the holder', 130, 7, { releasing: '1.1.0-abc', unfinished: '' }],
  ['an earlier holder', 130, 6, { releasing: '', unfinished: '1.1.0-abc' }],
  ['a holder that died', 90, 7, { releasing: '', unfinished: '1.1.0-abc' }],
])('what %s has begun is told as what it is', async (_, expires, token, told) => {
  const server = Object.assign(new Server('app-1'), { expires });
  server.files[journalFile] = JSON.stringify({ release: '1.1.0-abc', undoes: '1.2.0-def', token });
  expect(await status([server])).toMatchObject([told]);
});

test('a server that cannot be asked hides no other', async () => {
  const [down, well] = [new Server('app-1'), new Server('app-2')];
  down.docker = false;
  down.files[historyFile] = '{"at":"2026-';
  expect(await status([down, well])).toMatchObject([
    { host: 'app-1', problem: 'Cannot connect to the Docker daemon.' },
    { host: 'app-2', lease: { owner: 'ci' } },
  ]);
  expect(await history([down, well])).toEqual([
    { host: 'app-1', problem: expect.stringMatching(/^Line 1 of .* on app-1 is no entry/) },
    { host: 'app-2', entries: [] },
  ]);
});
