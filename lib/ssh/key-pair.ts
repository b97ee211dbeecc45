import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A new key in OpenSSH's format, and its public half as one line. By ssh-keygen, as ssh2's own
 * generator drops leading zeros: one of its keys in some 300 cannot be read again.
 */
export function keyPair(comment = ''): { private: string; public: string } {
  const folder = mkdtempSync(join(tmpdir(), 'compta-key-'));
  try {
    const file = join(folder, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file]);
    return {
      private: readFileSync(file, 'utf8'),
      public: readFileSync(`${file}.pub`, 'utf8').trim(),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
