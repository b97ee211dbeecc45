import { expect, test } from '@jest/globals';
import { RemoteCommandError } from '../../ssh/errors.ts';
import { Host } from '../host.ts';
import { Lease } from '../lease.ts';

/** A server whose lease somebody takes between our look and our hand; its sudo has something to say as well. */
class Snatched extends Host {
  constructor() {
    super('app-1', '', () => Promise.reject(new Error('nobody is there')));
  }

  override async read() {
    return { code: 0, stdout: '1767225600\n', stderr: '' };
  }

  override async once(): Promise<never> {
    const lease = { token: 1, owner: 'quicker', run: '', taken: 'noon', expires: 1767225630 };
    const words = `sudo: unable to resolve host app-1\n${JSON.stringify(lease)}\n`;
    throw new RemoteCommandError('app-1', 'acquire', 75, words);
  }
}

test('whoever was quicker is named, whatever else the server says', async () => {
  const options = { owner: 'me', run: '', waitMs: 0, say: () => {} };
  await expect(Lease.take([new Snatched()], options)).rejects.toThrow(
    'The environment is held by quicker (no run URL) since noon, and did not come free within 0 s.',
  );
});
