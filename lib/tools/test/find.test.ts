import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { zipSync } from 'fflate';
import { findTool, mirrored } from '../find.ts';

const archive = Buffer.from(zipSync({ terraform: Buffer.from('#!/bin/sh\necho ours\n') }));
const sum = createHash('sha256').update(archive).digest('hex');

let mirror: Server;
let base: string;
let requests: string[] = [];
let root: string;

beforeAll(async () => {
  mirror = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.end(archive);
  });
  await new Promise<void>((resolve) => mirror.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(mirror.address() as AddressInfo).port}/tools`;
});

afterAll(() => {
  mirror.closeAllConnections();
  mirror.close();
});

beforeEach(() => {
  requests = [];
  root = mkdtempSync(join(tmpdir(), 'compta-tools-'));
  process.env.RUNNER_TOOL_CACHE = join(root, 'cache');
  process.env.RUNNER_TEMP = join(root, 'temp');
  mkdirSync(process.env.RUNNER_TEMP);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('findTool', () => {
  it('takes what the tool cache has, without a request', async () => {
    const place = join(root, 'cache', 'terraform', '1.11.4', process.arch);
    mkdirSync(place, { recursive: true });
    writeFileSync(`${place}.complete`, '');

    expect(await findTool({ name: 'terraform', version: '1.11.4', mirror: base })).toBe(place);
    expect(requests).toEqual([]);
  });

  it('downloads from the mirror once, and finds it in the tool cache afterwards', async () => {
    const request = { name: 'terraform', version: '1.11.9', mirror: base, sha256: sum } as const;
    const directory = await findTool(request);

    expect(await readFile(join(directory, 'terraform'), 'utf8')).toContain('echo ours');
    expect(await findTool(request)).toBe(directory);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatch(
      /^\/tools\/terraform\/1\.11\.9\/terraform_1\.11\.9_linux_(amd|arm)64\.zip$/,
    );
  });

  it('refuses bytes that differ from the sum, and leaves nothing behind', async () => {
    await expect(findTool({ name: 'terraform', version: '1.11.4', mirror: base })).rejects.toThrow(
      /has SHA-256 [0-9a-f]{64}, but terraform 1\.11\.4 has [0-9a-f]{64}/,
    );
    expect(await readdir(join(root, 'temp'))).toEqual([]);
  });

  it.each([
    ['a version nobody published a sum for', '9.9.9', /no SHA-256 is known.*known sum: 1\.11\.4/s],
    ['a range', '1.x', /is no exact version/],
  ])('refuses %s before any request', async (_what, version, message) => {
    await expect(findTool({ name: 'terraform', version, mirror: base })).rejects.toThrow(message);
    expect(requests).toEqual([]);
  });

  it('says so when there is no tool cache', async () => {
    delete process.env.RUNNER_TOOL_CACHE;
    await expect(findTool({ name: 'k6', version: '2.1.0' })).rejects.toThrow(/RUNNER_TOOL_CACHE/);
  });
});

describe('mirrored', () => {
  it.each([
    [undefined, 'https://host.example/a/b.zip'],
    ['http://mirror.example', 'http://mirror.example/a/b.zip'],
    ['http://mirror.example/tools/', 'http://mirror.example/tools/a/b.zip'],
  ])('with %p', (mirror, expected) => {
    expect(mirrored('https://host.example/a/b.zip', mirror)).toBe(expected);
  });
});
