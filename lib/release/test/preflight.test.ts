import { describe, expect, test } from '@jest/globals';
import type { ExecOptions } from '../../ssh/connection.ts';
import type { Host } from '../host.ts';
import { preflight, pull } from '../preflight.ts';

const gibibyte = 1024 ** 3;

/** A server that says so much of itself; `sizes` are those of the images that the new ones replace. */
function server({ disk = 9, memory = 4, code = 0, stderr = '', sizes = [] as number[] }): Host {
  const lines = ['27.0', '2.30', disk * gibibyte, memory * gibibyte];
  const stdout = [...lines, ...sizes.map((size) => size * gibibyte)].join('\n');
  return { name: 'app-1', read: async () => ({ code, stdout, stderr }) } as unknown as Host;
}
const need = { memory: async () => gibibyte, images: ['registry/auth@sha256:1'] };

describe('a server that is not fit for a release is refused with what it lacks', () => {
  test.each([
    [
      'disk for what the images will take',
      server({ disk: 3, sizes: [1.5, 1] }),
      /3.0 GiB free .* needs 3.5 GiB/,
    ],
    ['disk at all', server({ disk: 0.5 }), /0.5 GiB free for images and needs 1.0 GiB/],
    ['memory for second slots', server({ memory: 0.5 }), /0.5 GiB of memory .* may take 1.0 GiB/],
    [
      'Docker',
      server({ code: 61, stderr: 'no daemon' }),
      /Docker does not answer on app-1: no daemon/,
    ],
    ['Compose', server({ code: 62 }), /no `docker compose`/],
  ])('%s', async (_what, host, message) => {
    await expect(preflight(host, need)).rejects.toThrow(message);
  });

  test('one that has it all is taken', async () => {
    await expect(preflight(server({ sizes: [2, 1] }), need)).resolves.toBeUndefined();
  });
});

test('a pull is not waited for by a job that was cancelled', async () => {
  const job = new AbortController();
  const read = async (_: readonly string[], { signal }: ExecOptions = {}) =>
    new Promise((_done, failed) => signal?.addEventListener('abort', () => failed(signal.reason)));
  const waiting = pull({ name: 'app-1', read } as unknown as Host, need.images, {
    cancelled: job.signal,
  });
  job.abort(new Error('The job was cancelled.'));
  await expect(waiting).rejects.toThrow('The job was cancelled.');
});
