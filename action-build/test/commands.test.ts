import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { buildArgv, copyArgv, databaseArgv, layoutOutput, scanArgv } from '../src/commands.ts';
import { inParallel, oneAtATime } from '../src/parallel.ts';
import { scannerEnvironment } from '../src/scan.ts';

describe('the build', () => {
  const labels = { 'org.opencontainers.image.version': '1.4.0', team: 'a ledger' };
  const image = {
    name: 'auth-service',
    context: 'examples/services/auth-service',
    file: undefined,
    target: undefined,
    buildArgs: {},
  };
  const platforms = ['linux/amd64', 'linux/arm64'];

  test('writes a layout for all platforms, without provenance, labelled', () => {
    expect(
      buildArgv(image, platforms, labels, layoutOutput('/tmp/out'), ['--cache-from=x']),
    ).toEqual([
      ...['docker', 'buildx', 'build', '--platform', 'linux/amd64,linux/arm64'],
      ...['--provenance=false', '--progress=plain'],
      '--output=type=oci,tar=false,dest=/tmp/out,rewrite-timestamp=true,compression-level=1',
      '--cache-from=x',
      ...['--label', 'org.opencontainers.image.version=1.4.0', '--label', 'team=a ledger'],
      'examples/services/auth-service',
    ]);
  });

  test('takes file, target and arguments, each one argument whatever is in it', () => {
    const more = { ...image, file: 'a b/Dockerfile', target: 'runtime', buildArgs: { A: '1; id' } };
    const argv = buildArgv(more, platforms, labels, 'type=cacheonly', []).join('\n');
    expect(argv).toContain('--file\na b/Dockerfile\n--target\nruntime\n--build-arg\nA=1; id\n');
  });

  test('leaves an empty argument to the Dockerfile, as a variable that is not set is empty', () => {
    const unset = { ...image, buildArgs: { BASE_IMAGE: '', JAVA_VERSION: '21' } };
    const argv = buildArgv(unset, platforms, labels, 'type=cacheonly', []);
    expect(argv.filter((_, i) => argv[i - 1] === '--build-arg')).toEqual(['JAVA_VERSION=21']);
  });
});

test('the scan takes no settings of the checkout, ignores nothing, and asks the network for nothing', () => {
  const scan = { trivy: '/opt/trivy', layout: '/tmp/1', cache: '/tmp/c', report: '/tmp/r.json' };
  const argv = scanArgv(scan).join(' ');
  expect(argv).toContain('--config /dev/null --timeout 1h');
  expect(argv).toContain('--ignorefile /dev/null --secret-config compta-secret-rules.yaml');
  expect(argv).toContain('--skip-db-update --skip-java-db-update --offline-scan');
});

test('the scanner gets proxies of either case, and no secret', () => {
  const proxies = { https_proxy: 'http://proxy.test:3128', NO_PROXY: '.test' };
  const env = {
    ...proxies,
    PATH: '/bin',
    INPUT_PASSWORD: 'x',
    TRIVY_SKIP_FILES: '*',
    HOME: '/root',
  };
  expect(scannerEnvironment(env, '/tmp/home')).toEqual({
    ...proxies,
    PATH: '/bin',
    HOME: '/tmp/home',
  });
});

test.each([
  ['db', undefined, '--download-db-only --skip-version-check'],
  ['db', 'r.test/a', '--download-db-only --db-repository r.test/a/trivy-db:2'],
  ['java-db', 'r.test/a', '--java-db-repository r.test/a/trivy-java-db:1'],
] as const)('the %s comes from the mirror %j', (part, mirror, expected) => {
  const argv = databaseArgv('/opt/trivy', part, '/tmp/c', mirror).join(' ');
  expect(argv).toContain(expected);
  expect(argv).toContain('--timeout 1h');
});

test.each([
  [undefined, []],
  ['/tmp/auth.json', ['--authfile', '/tmp/auth.json']],
])('a copy keeps every digest, and tries again; login from %j', (authFile, options) => {
  const copy = { from: 'oci:/tmp/out', to: 'docker://registry.test/compta/x:1' };
  expect(copyArgv(copy, authFile)).toEqual([
    ...['skopeo', 'copy', '--all', '--preserve-digests', '--retry-times', '3', ...options],
    ...['oci:/tmp/out', 'docker://registry.test/compta/x:1'],
  ]);
});

describe('work in parallel', () => {
  test('is never more than allowed, and keeps its order', async () => {
    let now = 0;
    let most = 0;
    const results = await inParallel([30, 10, 20, 5], 2, async (milliseconds) => {
      most = Math.max(most, ++now);
      await sleep(milliseconds);
      now -= 1;
      return milliseconds;
    });
    expect(results).toEqual([30, 10, 20, 5]);
    expect(most).toBe(2);
  });

  test('after a failure waits for what has begun and begins nothing more', async () => {
    const ended: string[] = [];
    const work = inParallel(['fails', 'slow', 'never'], 2, async (name) => {
      if (name === 'fails') throw new Error('no space left');
      await sleep(50);
      ended.push(name);
    });
    await expect(work).rejects.toThrow('no space left');
    expect(ended).toEqual(['slow']);
  });

  test('lets one in at a time where it must, and goes on after a failure', async () => {
    const queue = oneAtATime();
    const order: string[] = [];
    const step = (name: string, milliseconds: number) => async () => {
      order.push(`${name} begins`);
      await sleep(milliseconds);
      order.push(`${name} ends`);
      if (name === 'first') throw new Error('scanner crashed');
    };
    const [first] = await Promise.allSettled([queue(step('first', 20)), queue(step('second', 1))]);
    expect(first).toMatchObject({ status: 'rejected' });
    expect(order).toEqual(['first begins', 'first ends', 'second begins', 'second ends']);
  });
});
