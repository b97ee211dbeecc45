import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { strToU8, zipSync } from 'fflate';
import { create } from 'tar';
import { type Registry, startRegistry } from '../../action-build/test/registry.ts';
import { scriptsFolder } from '../../lib/migration/scripts.ts';
import { run } from '../../lib/process/run.ts';

const SCRIPT = '-- compta: expand\nCREATE TABLE entry (id int);\n';
const signal = new AbortController().signal;
let folder: string;
let registry: Registry;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compta-image-'));
  mkdirSync(join(folder, 'registry'));
  registry = await startRegistry(join(folder, 'registry'));
  process.env.SSL_CERT_FILE = registry.authority;
}, 60_000);
afterAll(async () => {
  delete process.env.SSL_CERT_FILE;
  await registry?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Pushes an image of one jar, and gives its reference by digest. */
async function push(jar: Uint8Array): Promise<string> {
  const layout = join(folder, 'layout');
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const blob = (mediaType: string, content: Buffer) => {
    const sum = createHash('sha256').update(content).digest('hex');
    writeFileSync(join(layout, 'blobs/sha256', sum), content);
    return { mediaType, digest: `sha256:${sum}`, size: content.length };
  };
  const oci = (name: string) => `application/vnd.oci.image.${name}`;
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  mkdirSync(join(folder, 'root/app'), { recursive: true });
  writeFileSync(join(folder, 'root/app/service.jar'), jar);
  await create({ cwd: join(folder, 'root'), file: join(folder, 'layer.tar') }, ['app']);
  const layer = blob(oci('layer.v1.tar'), readFileSync(join(folder, 'layer.tar')));
  const config = { architecture: 'amd64', os: 'linux', config: {} };
  const manifest = {
    schemaVersion: 2,
    mediaType: oci('manifest.v1+json'),
    config: blob(
      oci('config.v1+json'),
      json({ ...config, rootfs: { type: 'layers', diff_ids: [layer.digest] } }),
    ),
    layers: [layer],
  };
  const described = blob(oci('manifest.v1+json'), json(manifest));
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, 'index.json'), json({ schemaVersion: 2, manifests: [described] }));
  const { address, username, password } = registry;
  await run([
    ...['skopeo', 'copy', '--insecure-policy', '--preserve-digests'],
    ...['--dest-creds', `${username}:${password}`],
    ...[`oci:${layout}`, `docker://${address}/compta/books-service:1`],
  ]);
  return `${address}/compta/books-service@${described.digest}`;
}

test('the scripts come from the registry by the image’s digest, for whoever may log in there', async () => {
  const reference = await push(
    zipSync({ 'BOOT-INF/classes/db/migration/V1__books.sql': strToU8(SCRIPT) }),
  );
  const { username, password } = registry;
  const from = (word: string) => {
    const temp = mkdtempSync(join(folder, 'temp-'));
    return scriptsFolder(
      { from: 'image', reference, login: { username, password: word } },
      temp,
      signal,
    );
  };
  const scripts = await from(password);
  expect(readdirSync(scripts)).toEqual(['V1__books.sql']);
  expect(readFileSync(join(scripts, 'V1__books.sql'), 'utf8')).toBe(SCRIPT);

  const refused = await from('planted-wrong').catch((error: Error) => error);
  expect((refused as Error).message).toMatch(/unauthorized|authentication required/i);
  expect((refused as Error).message).not.toContain('planted');
}, 60_000);
