import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { run } from '../../../lib/process/run.ts';
import { startCloud, TOKEN } from '../../../local-cloud/hetzner/test/client.ts';
import { copyOfTheCode } from './terraform.ts';

jest.setTimeout(300_000);

const scripts = join(import.meta.dirname, 'boot');
/** An unpacked image of Debian 12, on which cloud-init has run with the module's user data. */
const root = mkdtempSync(join(tmpdir(), 'compta-first-boot-'));
const file = (path: string) => readFileSync(join(root, path), 'utf8');
const lines = (text: string) => text.trim().split('\n');

let hostKeyLabel: string;

beforeAll(async () => {
  const { userData, labels } = await orderedServer();
  hostKeyLabel = labels['host-key'] ?? '';
  const server = JSON.parse(readFileSync(join(cache(), 'images/index.json'), 'utf8')).server;
  await run(['tar', '--extract', '--file', server, '--directory', root]);
  const seed = join(root, 'var/lib/cloud/seed/nocloud');
  mkdirSync(seed, { recursive: true });
  writeFileSync(join(seed, 'user-data'), userData, { mode: 0o600 });
  writeFileSync(join(seed, 'meta-data'), JSON.stringify({ 'instance-id': 'test-1' }));
  // Debian's own image lets root in until user data says otherwise.
  writeFileSync(join(seed, 'vendor-data'), '#cloud-config\ndisable_root: false\n');
  await run([join(scripts, 'cloud-init.sh'), root]);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the first boot', () => {
  it('is done without a warning', () => {
    const log = file('var/log/cloud-init.log');
    expect(lines(log).filter((line) => /\[(WARNING|ERROR|CRITICAL)\]/.test(line))).toEqual([]);
    const stages = [...log.matchAll(/Ran \d+ modules with (\d+) failures/g)];
    expect(stages.map(([, failures]) => failures)).toEqual(['0', '0', '0']);
  });

  it('takes only user data that cloud-init knows', async () => {
    const userData = 'var/lib/cloud/seed/nocloud/user-data';
    const argv = ['chroot', root, 'cloud-init', 'schema', '--config-file', `/${userData}`];
    expect((await run(argv)).stdout).toContain('Valid cloud-config');
  });

  it('leaves one user who can log in, and by key only', () => {
    const loginShells = lines(file('etc/passwd')).filter((line) => /\/(ba)?sh$/.test(line));
    expect(loginShells.map((line) => line.split(':')[0])).toEqual(['root', 'deploy']);
    expect(file('home/deploy/.ssh/authorized_keys')).toMatch(/^ssh-ed25519 \S+ ci$/m);
    for (const user of ['root', 'deploy']) {
      expect(file('etc/shadow')).toMatch(new RegExp(`^${user}:[!*]`, 'm'));
    }
  });

  it('leaves sshd on port 2222 for that user alone', async () => {
    mkdirSync(join(root, 'run/sshd'), { recursive: true });
    const { stdout } = await run(['chroot', root, '/usr/sbin/sshd', '-T']);
    expect(lines(stdout)).toEqual(
      expect.arrayContaining([
        'port 2222',
        'permitrootlogin no',
        'passwordauthentication no',
        'kbdinteractiveauthentication no',
        'authenticationmethods publickey',
        'allowusers deploy',
      ]),
    );
    expect(stdout.match(/^port /gm)).toHaveLength(1);
  });

  it('leaves the host key that the label tells, and no other', () => {
    const keys = readdirSync(join(root, 'etc/ssh')).filter((name) => name.startsWith('ssh_host'));
    expect(keys).toEqual(['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub']);
    const label = hostKeyLabel.slice(1, -1).replaceAll('-', '+').replaceAll('_', '/');
    expect(file('etc/ssh/ssh_host_ed25519_key.pub').trim()).toBe(
      `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${label}`,
    );
  });
});

describe('the metadata service', () => {
  const unit = 'etc/systemd/system/compta-metadata.service';

  it('is closed by a unit that systemd accepts and starts at boot', async () => {
    const verify = ['systemd-analyze', 'verify', 'compta-metadata.service'];
    expect((await run(['chroot', root, ...verify])).stderr).toBe('');
    const wanted = readdirSync(join(root, 'etc/systemd/system/multi-user.target.wants'));
    expect(wanted).toContain('compta-metadata.service');
  });

  it('answers root, and neither another user nor a container', async () => {
    const { stdout } = await run([join(scripts, 'metadata.sh'), join(root, unit)]);
    expect(lines(stdout)).toEqual([
      'before root 200',
      'before user 200',
      'before container 200',
      'after root 200',
      'after user 000',
      'after container 000',
      'elsewhere user 200',
      'elsewhere container 200',
      'undone root 200',
      'undone user 200',
      'undone container 200',
    ]);
  });
});

/** What Hetzner gets to see when Terraform orders the server of the module's example. */
async function orderedServer(): Promise<{ userData: string; labels: Record<string, string> }> {
  const cloud = await startCloud();
  const code = copyOfTheCode();
  try {
    const terraform = code.terraform('modules/server/examples/basic', {
      HCLOUD_ENDPOINT: cloud.api.url,
      HCLOUD_TOKEN: TOKEN,
    });
    await terraform.init();
    expect(await terraform.apply()).toMatchObject({ code: 0 });
    const [machine] = Object.values(cloud.machinery.state.servers);
    const { labels } = (await cloud.get('/servers')).body.servers[0];
    return { userData: machine?.userData ?? '', labels };
  } finally {
    await cloud.stop();
    code.remove();
  }
}

function cache(): string {
  const { COMPTA_CACHE, XDG_CACHE_HOME } = process.env;
  return COMPTA_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'compta');
}
