import { expect, test } from '@jest/globals';
import { type Circumstances, recordAll } from '../bring.ts';
import { Host } from '../host.ts';
import { historyFile } from '../layout.ts';
import type { Manifest } from '../manifest.ts';

const manifest = (release: string): Manifest => ({
  release,
  version: release,
  environment: 'staging',
  services: {},
  order: [],
  versionPaths: {},
  edge: { image: 'caddy', config: 'c' },
  createdAt: '',
});

/** A server that takes whatever it is told. */
class Willing extends Host {
  readonly history: string[] = [];

  constructor() {
    super('app-2', '', () => Promise.reject(new Error('nobody is there')));
  }

  override async read() {
    return { code: 0, stdout: '', stderr: '' };
  }

  override async append(path: string, line: string): Promise<void> {
    if (path === historyFile) this.history.push(line);
  }

  override async content(): Promise<string> {
    return '';
  }
}

test('a server that missed a release notes what the environment ran before, not what it ran', async () => {
  const host = new Willing();
  host.token = 1;
  const how = { by: 'me', run: '', keep: 3, tell: () => {} } as unknown as Circumstances;
  const behind = { host, current: manifest('r1'), target: manifest('r3') };
  await recordAll([behind], manifest('r2'), 'deploy', how, Date.now(), false);
  expect(host.history.map((line) => JSON.parse(line))).toMatchObject([
    { action: 'deploy', release: 'r3', previous: 'r2' },
  ]);
});
