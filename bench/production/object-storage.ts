import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { awaitAnswer } from '../../local-cloud/services/waiting.ts';

/** Another company's object storage. @returns what the inventory says of it */
export async function objectStorage(address: string, data: string, ending: (() => unknown)[]) {
  const [account, password] = [10, 20].map((bytes) => randomBytes(bytes).toString('hex'));
  mkdirSync(join(data, 'backups'), { recursive: true, mode: 0o700 });
  const env = { PATH: process.env.PATH, ROOT_ACCESS_KEY: account, ROOT_SECRET_KEY: password };
  const argv = ['--port', address, 'posix', data];
  const gateway = spawn('versitygw', argv, { env, stdio: 'ignore' });
  const ended = once(gateway, 'exit');
  ending.push(async () => {
    gateway.kill('SIGTERM');
    await ended;
  });
  await awaitAnswer(address);
  const store = {
    type: 's3',
    provider: 'Other',
    endpoint: `http://${address}`,
    region: 'us-east-1',
    access_key_id: account,
    secret_access_key: password,
  };
  // Public halves: nobody here opens a backup.
  const recipients = [1, 2].map(
    () => /age1\w+/.exec(execFileSync('age-keygen', { encoding: 'utf8', stdio: 'pipe' }))?.[0],
  );
  return {
    backup_remote: 'store:backups/production',
    backup_rclone_remotes: { store },
    backup_recipients: recipients,
  };
}
