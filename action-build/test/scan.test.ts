import { createHash, generateKeyPairSync } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { zipSync } from 'fflate';
import { run } from '../../lib/process/run.ts';
import { oneAtATime } from '../src/parallel.ts';
import { makeReportFolders } from '../src/reports.ts';
import { openHome, type ScanContext, scan, unreadIn } from '../src/scan.ts';
import { log4jJar } from './log4j.ts';

/** The real Trivy over layouts made by hand. */

jest.setTimeout(180_000);

let temp: string;
let context: ScanContext;

beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'compta-scan-'));
  const [home, cache] = [join(temp, 'home'), join(temp, 'trivy')];
  openHome(home);
  cpSync(join(process.env.COMPTA_CACHE ?? '', 'trivy-db'), cache, { recursive: true });
  context = {
    trivy: 'trivy',
    platforms: ['linux/amd64'],
    reports: makeReportFolders(join(temp, 'reports')),
    cache,
    analysis: undefined,
    readInPart: new Map<string, string>(),
    turn: oneAtATime(),
    temp,
    home,
    env: { PATH: process.env.PATH, HOME: home },
    cancelled: new AbortController().signal,
  };
});
afterEach(() => rmSync(temp, { recursive: true }));

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = privateKey.export({ type: 'pkcs1', format: 'pem' });
const layers = [
  ['app/test-key.pem', key],
  ['notes.txt', 'notes'],
] as const;
type Files = readonly (readonly [string, string | Uint8Array])[];
const copied = { created_by: 'COPY . /' };
const command = { created_by: 'CMD ["/app"]', empty_layer: true };

test('a key in what Trivy takes for a base image is found, and in the next image of the same layers', async () => {
  const beneath = await image('beneath', [copied, command, copied]);
  const open = await image('open', [copied, copied]);
  for (const layout of [beneath, open]) {
    const findings = await scan('service', layout, context);
    expect(findings).toContainEqual(
      expect.objectContaining({ id: 'private-key', subject: '/app/test-key.pem' }),
    );
  }
});

test.each([
  ['linux/amd64\nlinux/arm64', 'service is not made for linux/arm64'],
  ['linux/arm64', 'Trivy looked at amd64 when it was asked for linux/arm64 of service'],
])('an image of amd64 is none for %j', async (platforms, says) => {
  const layout = await image('one', [copied, copied]);
  const wished = { ...context, platforms: platforms.split('\n') };
  await expect(scan('service', layout, wished)).rejects.toThrow(says);
});

describe('a Java index', () => {
  test.each([
    ['is empty', 0],
    ['came in half', 0.5],
  ])('that %s judges no image', async (_what, share) => {
    const log4j = readFileSync(await log4jJar());
    const jar = zipSync({ 'BOOT-INF/lib/log4j-core-2.14.1.jar': log4j });
    const layout = await image('boot', [copied], { files: [['app.jar', jar]] });
    const index = join(context.cache, 'java-db/trivy-java.db');
    const whole = readFileSync(index);
    writeFileSync(index, whole.subarray(0, whole.length * share));
    const refused = scan('service', layout, context);
    await expect(refused).rejects.toMatchObject({
      message: 'service for linux/amd64 could not be scanned, so it cannot pass.',
      cause: { message: expect.stringMatching(/^Trivy's java-db cannot be read: .*app\.jar/s) },
    });
  });
});

describe('what Trivy could not read is told', () => {
  test.each([
    ['by itself', Buffer.from('no archive'), 'file_path="app.jar"'],
    ['in another', zipSync({ 'lib/damaged.jar': Buffer.from('no archive') }), 'lib/damaged.jar'],
  ])('of a jar %s', async (_where, jar, named) => {
    const layout = await image('damaged', [copied], { files: [['app.jar', jar]] });
    await scan('service', layout, context);
    expect([...context.readInPart]).toEqual([
      ['service-linux-amd64', expect.stringContaining(named)],
    ]);
  });

  const time = '2026-11-23T12:00:00Z';
  const dpkg = '[dpkg] Parse error\tfile_path="var/lib/dpkg/status" err="malformed MIME header"';
  test.each([
    ['WARN', dpkg, dpkg],
    ['DEBUG', 'Image config analysis error\terr="x"', 'Image config analysis error\terr="x"'],
    ['DEBUG', 'Parsed severities\tseverities=[HIGH]', undefined],
    // Images of Debian have none.
    ['DEBUG', '[dpkg] Unable to parse the available file\terr="file does not exist"', undefined],
  ])('%s %s', (level, line, told) => {
    expect(unreadIn(`${time}\tINFO\tx\n${time}\t${level}\t${line}\n`)).toBe(told);
  });
});

test('an image whose history Trivy cannot read has a finding', async () => {
  const ran = { created_by: 'RUN /bin/sh -c apt-get update\napt-get install curl\n # buildkit' };
  const findings = await scan('service', await image('heredoc', [ran, copied]), context);
  expect(findings).toContainEqual(
    expect.objectContaining({ id: 'unread-history', severity: 'HIGH' }),
  );
});

const token = `ghp_${'0123456789abcdef'.repeat(3).slice(0, 36)}`;
test.each([
  [
    'a token among variables, labels and command',
    { Labels: { note: token }, Cmd: ['/app', token] },
    token,
  ],
  ['a variable that is named like a secret', {}, 'nothing'],
])('reports keep nothing of %s', async (_what, settings, secret) => {
  const Env = ['DB_PASSWORD=open-sesame', `GITHUB_TOKEN=${secret}`];
  const set = Env.map((one) => ({ created_by: `ENV ${one}`, empty_layer: true }));
  const ran = { created_by: 'RUN |1 PASS=open-sesame /bin/sh -c make # buildkit' };
  const layout = await image('secret', [...set, ran, copied], {
    settings: { Env, ...settings },
  });
  expect((await scan('service', layout, context)).map(({ id }) => id)).toContain('DS-0031');
  const { json, sarif, sboms } = context.reports;
  const files = [json, sarif, sboms].flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true }).filter((one) => one.isFile()),
  );
  expect(files).toHaveLength(4);
  for (const { parentPath, name } of files) {
    const text = readFileSync(join(parentPath, name), 'utf8');
    for (const hidden of ['open-sesame', token]) expect(text).not.toContain(hidden);
  }
});

async function image(
  name: string,
  history: object[],
  { files = layers, settings = {} }: { files?: Files; settings?: object } = {},
): Promise<string> {
  const layout = join(temp, name);
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const put = (content: Uint8Array, kind: string) => {
    const hash = createHash('sha256').update(content).digest('hex');
    writeFileSync(join(layout, 'blobs/sha256', hash), content);
    const mediaType = `application/vnd.oci.image.${kind}`;
    return { mediaType, digest: `sha256:${hash}`, size: content.byteLength };
  };
  const json = (content: object, kind: string) => put(Buffer.from(JSON.stringify(content)), kind);
  const tars = await Promise.all(files.map(([path, content]) => tar(name, path, content)));
  const stored = tars.map((bytes) => put(bytes, 'layer.v1.tar'));
  const config = json(
    {
      ...{ architecture: 'amd64', os: 'linux', created: '1970-01-01T00:00:00Z', history },
      ...{ config: { User: '10001', ...settings } },
      rootfs: { type: 'layers', diff_ids: stored.map(({ digest }) => digest) },
    },
    'config.v1+json',
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = json(
    { schemaVersion: 2, mediaType, config, layers: stored },
    'manifest.v1+json',
  );
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const index = { schemaVersion: 2, manifests: [manifest] };
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
  return layout;
}

async function tar(name: string, path: string, content: string | Uint8Array): Promise<Buffer> {
  const root = join(temp, `${name}-files`);
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content);
  const archive = join(temp, `${name}.${path.replace('/', '-')}.tar`);
  await run(['tar', '--mtime=@0', '--sort=name', '-cf', archive, '-C', root, path]);
  return readFileSync(archive);
}
