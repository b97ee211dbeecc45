import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { strToU8, zipSync } from 'fflate';
import { create } from 'tar';
import { scriptsFolder, scriptsOf } from '../scripts.ts';

let temp: string;

beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'compta-scripts-'));
});
afterEach(() => rmSync(temp, { recursive: true }));

test('the scripts are those of the service’s jar, not of its libraries', async () => {
  const scripts = await scriptsIn({
    'app/service.jar': jar({
      'BOOT-INF/classes/db/migration/V1__one.sql': 'SELECT 1;',
      'BOOT-INF/classes/db/migration/nested/V9__no.sql': '',
      'BOOT-INF/classes/db/other/V9__no.sql': '',
      'BOOT-INF/lib/quartz.jar': 'a jar in the jar',
    }),
    'app/lib/batch.jar': jar({ 'db/migration/V7__batch.sql': '' }),
    'app/V8__loose.sql': '',
  });
  expect(scripts).toEqual({ 'V1__one.sql': 'SELECT 1;' });
});

test('a plain jar holds them at its top', async () => {
  const scripts = await scriptsIn({ 'app/plain.jar': jar({ 'db/migration/V1__one.sql': 'x' }) });
  expect(scripts).toEqual({ 'V1__one.sql': 'x' });
});

test('a later layer replaces a jar whole, or takes it away', async () => {
  const scripts = await scriptsIn(
    {
      'app/service.jar': jar({ 'db/migration/V1__one.sql': 'old', 'db/migration/V2__two.sql': '' }),
      'app/gone.jar': jar({ 'db/migration/V3__three.sql': '' }),
    },
    { 'app/service.jar': jar({ 'db/migration/V1__one.sql': 'new' }), 'app/.wh.gone.jar': '' },
  );
  expect(scripts).toEqual({ 'V1__one.sql': 'new' });
});

test('an image without jars holds none, and a folder is taken as it is', async () => {
  expect(await scriptsIn({ 'etc/hosts': '' })).toEqual({});
  const signal = new AbortController().signal;
  expect(await scriptsFolder({ from: 'folder', path: '/some/where' }, temp, signal)).toBe(
    '/some/where',
  );
});

test.each([1, 6, 9])('a layer of nothing is none, compressed at level %i', async (level) => {
  const service = await tarball({ 'app/service.jar': jar({ 'db/migration/V1__one.sql': 'x' }) });
  expect(await scriptsInTars([Buffer.alloc(1024), service], level)).toEqual({
    'V1__one.sql': 'x',
  });
});

type Files = Record<string, string | Uint8Array>;

/** File name → text of what comes out of an image with these layers. */
async function scriptsIn(...layers: Files[]): Promise<Record<string, string>> {
  return scriptsInTars(await Promise.all(layers.map(tarball)), 6);
}

async function scriptsInTars(
  tars: readonly Buffer[],
  level: number,
): Promise<Record<string, string>> {
  const layout = join(temp, 'image');
  const diff_ids = tars.map((tar) => `sha256:${sha256(tar)}`);
  const config = blob(layout, Buffer.from(JSON.stringify({ rootfs: { diff_ids } })));
  const layers = tars.map((tar) => blob(layout, gzipSync(tar, { level })));
  const manifest = blob(layout, Buffer.from(JSON.stringify({ config, layers })));
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ manifests: [manifest] }));
  const folder = await scriptsOf(layout, temp);
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

function jar(files: Record<string, string>): Uint8Array {
  return zipSync(
    Object.fromEntries(Object.entries(files).map(([name, text]) => [name, strToU8(text)])),
  );
}

async function tarball(files: Files): Promise<Buffer> {
  const root = mkdtempSync(join(temp, 'root-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  await create({ cwd: root, file: `${root}.tar` }, readdirSync(root));
  return readFileSync(`${root}.tar`);
}

function blob(layout: string, content: Buffer): { digest: string } {
  const sum = sha256(content);
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  writeFileSync(join(layout, 'blobs/sha256', sum), content);
  return { digest: `sha256:${sum}` };
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
