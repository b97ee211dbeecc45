import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
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
  it('does not wait for a download of a job that was cancelled', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const job = new AbortController();
    let end = () => {};
    silent.once('request', (_, response) => {
      // The client tries again for half a minute after anything else.
      end = () => response.writeHead(404).end();
      job.abort(new Error('The job was cancelled.'));
    });
    try {
      const mirror = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const request = { name: 'terraform', version: '1.11.4', mirror } as const;
      await expect(findTool({ ...request, cancelled: job.signal })).rejects.toThrow(
        'The job was cancelled.',
      );
    } finally {
      end();
      silent.close();
    }
  });

  it('takes what the tool cache has, without a request', async () => {
    const place = join(root, 'cache', 'terraform', '1.11.4', process.arch);
    mkdirSync(place, { recursive: true });
    writeFileSync(`${place}.complete`, '');

    expect(await findTool({ name: 'terraform', version: '1.11.4', mirror: base })).toBe(place);
    expect(requests).toEqual([]);
  });

  it('takes a tool that is published as the program itself', async () => {
    const request = { name: 'cosign', version: '3.0.9', mirror: base, sha256: sum } as const;
    const directory = await findTool(request);

    expect(await readFile(join(directory, 'cosign'))).toEqual(archive);
    expect(statSync(join(directory, 'cosign')).mode & 0o777).toBe(0o755);
    expect(requests).toEqual([
      expect.stringMatching(
        /^\/tools\/sigstore\/cosign\/releases\/download\/v3\.0\.9\/cosign-linux-/,
      ),
    ]);
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

/** An archive with these files in it, and its sum. */
function pack(files: Record<string, string>): { path: string; sum: string } {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, 'pack', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o755 });
  }
  const path = join(root, 'archive.tar.gz');
  execFileSync('tar', ['-czf', path, '-C', join(root, 'pack'), ...readdirSync(join(root, 'pack'))]);
  return { path, sum: createHash('sha256').update(readFileSync(path)).digest('hex') };
}

describe('what the runner’s own clients get', () => {
  const local = join(process.env.COMPTA_CACHE ?? '', 'maven/org/flywaydb/flyway-commandline/0.0.1');
  afterEach(() => {
    rmSync(local, { recursive: true, force: true });
    delete process.env.npm_config_registry;
  });

  it('by npm is held to its sum and put into the tool cache', async () => {
    const { path, sum } = pack({ 'package/bin/squawk': '#!/bin/sh\necho linted\n' });
    const registry = createServer((request, response) => {
      requests.push(request.url ?? '');
      if (request.url === '/squawk.tgz') return response.end(readFileSync(path));
      const dist = { tarball: `http://${request.headers.host}/squawk.tgz` };
      const versions = { '0.0.1': { name: '@squawk-cli/linux-x64', version: '0.0.1', dist } };
      return response.end(JSON.stringify({ name: '@squawk-cli/linux-x64', versions }));
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const { port } = registry.address() as AddressInfo;
    process.env.npm_config_registry = `http://127.0.0.1:${port}`;
    try {
      const request = { name: 'squawk', version: '0.0.1' } as const;
      await expect(findTool({ ...request, sha256: '0'.repeat(64) })).rejects.toThrow(
        /^npm:@squawk-cli\/linux-\w+@0\.0\.1 has SHA-256 [0-9a-f]{64}, but/,
      );
      expect(await readdir(join(root, 'temp'))).toEqual([]);
      // Standard output belongs to a command line's answer, and no runner may be there at all.
      delete process.env.RUNNER_TEMP;
      let said = '';
      const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
        said += String(text);
        return true;
      });
      const folder = await findTool({ ...request, sha256: sum }).finally(() => write.mockRestore());
      expect(said).toBe('');
      expect(await readdir(dirname(folder))).toEqual([process.arch, `${process.arch}.complete`]);
      expect(execFileSync(join(folder, 'bin/squawk'), { encoding: 'utf8' })).toBe('linted\n');
      expect(requests.join(' ')).toMatch(/linux-\w+ \/squawk\.tgz/);
    } finally {
      registry.closeAllConnections();
      registry.close();
    }
  }, 180_000);

  it('is not waited for by a job that was cancelled', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    process.env.npm_config_registry = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const job = new AbortController();
    silent.once('connection', () => job.abort(new Error('The job was cancelled.')));
    try {
      const request = { name: 'squawk', version: '0.0.1', sha256: sum } as const;
      await expect(findTool({ ...request, cancelled: job.signal })).rejects.toThrow(
        'The job was cancelled.',
      );
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  }, 60_000);

  it('by Maven is held to its sum, and only what is of use is unpacked', async () => {
    const { path, sum } = pack({
      'flyway-0.0.1/flyway': '#!/bin/sh\necho migrated\n',
      'flyway-0.0.1/lib/commandline.jar': '',
      'flyway-0.0.1/lib/flyway/core.jar': '',
      'flyway-0.0.1/drivers/postgresql-1.jar': '',
      'flyway-0.0.1/drivers/other.jar': '',
      'flyway-0.0.1/jre/bin/java': '',
    });
    mkdirSync(local, { recursive: true });
    copyFileSync(path, join(local, 'flyway-commandline-0.0.1-linux-x64.tar.gz'));
    const folder = await findTool({ name: 'flyway', version: '0.0.1', sha256: sum });
    expect(execFileSync(join(folder, 'flyway'), { encoding: 'utf8' })).toBe('migrated\n');
    expect(
      (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.jar')).sort(),
    ).toEqual(['drivers/postgresql-1.jar', 'lib/commandline.jar', 'lib/flyway/core.jar']);
    expect(await readdir(folder)).not.toContain('jre');
  }, 180_000);

  it('is asked for again, or put there, when its client is missing', async () => {
    const path = process.env.PATH;
    process.env.PATH = root;
    try {
      await expect(findTool({ name: 'flyway', version: '11.8.2' })).rejects.toThrow(
        /flyway 11\.8\.2 could not be downloaded from mvn:org\.flywaydb:.*put it into the tool cache/,
      );
    } finally {
      process.env.PATH = path;
    }
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
