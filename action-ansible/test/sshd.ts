import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyPair } from '../../lib/ssh/key-pair.ts';

/** An OpenSSH server on loopback that lets root in with one key. */
export interface Sshd {
  port: number;
  privateKey: string;
  publicKey: string;
  /** The line of known_hosts that belongs to its host key. */
  knownHosts: string;
  /** The home of root as its sessions see it. */
  home: string;
  /** Folder of the modules that Debian's Python has on a server. */
  python: string;
  stop(): Promise<void>;
}

/**
 * Debian's own sshd out of the cached package. It wants a user `sshd` and /run/sshd, which
 * it gets in a mount namespace: nothing on this machine changes.
 */
export async function startSshd(port: number): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'compta-sshd-'));
  const file = (name: string) => join(folder, name);
  for (const name of ['openssh-server', 'libwrap0', 'python3-apt']) unpack(name, file('root'));
  const [user, host] = [keyPair(), keyPair()];
  writeFileSync(file('host'), host.private, { mode: 0o600 });
  writeFileSync(file('authorized'), user.public);
  mkdirSync(file('home'));
  writeFileSync(
    file('passwd'),
    `root:x:0:0::${file('home')}:/bin/sh\nsshd:x:65534:65534::/run/sshd:/usr/sbin/nologin\n`,
  );
  writeFileSync(
    file('config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${file('host')}`,
      `AuthorizedKeysFile ${file('authorized')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'Subsystem sftp internal-sftp',
    ].join('\n'),
  );
  const child = spawn('unshare', ['--mount', 'sh', '-euc', enter, 'sh', folder], {
    stdio: 'ignore',
    env: { ...process.env, LD_LIBRARY_PATH: file('root/usr/lib/x86_64-linux-gnu') },
  });
  await listening(child, port);
  return {
    port,
    privateKey: user.private,
    publicKey: user.public,
    knownHosts: `[127.0.0.1]:${port} ${host.public}`,
    home: file('home'),
    python: file('root/usr/lib/python3/dist-packages'),
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await gone;
      // A session that is still open ends a moment after its server.
      rmSync(folder, { recursive: true, maxRetries: 10 });
    },
  };
}

/** A file system on the server that is soon full. */
export const SMALL_DISK = '/run/small';

const enter = `mount --bind "$1/passwd" /etc/passwd
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd ${SMALL_DISK}
mount -t tmpfs -o size=64k tmpfs ${SMALL_DISK}
exec "$1/root/usr/sbin/sshd" -D -f "$1/config"`;

function unpack(name: string, target: string): void {
  const packages = join(process.env.COMPTA_CACHE ?? '', 'debs', 'server');
  const found = readdirSync(packages).find((entry) => entry.startsWith(`${name}_`));
  if (!found) throw new Error(`${packages} lacks ${name}: run tools/install.`);
  execFileSync('dpkg', ['-x', join(packages, found), target]);
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (child.exitCode !== null) throw new Error('sshd ended: is this run by root?');
    const open = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('connect', () => socket.destroy()).on('error', () => resolve(false));
    });
    if (open) return;
    await sleep(100);
  }
  throw new Error('sshd does not listen.');
}
