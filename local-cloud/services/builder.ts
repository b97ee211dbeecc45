import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { runDirectory } from '../hardware/engine.ts';
import { type Instance, nameOf } from '../instance.ts';
import { type Daemon, filesOf } from './daemons.ts';

export function builderName(instance: Instance): string {
  return nameOf(instance);
}

/** A BuildKit of its own, as a hosted runner gets one from `docker buildx create`. */
export function builderDaemon(instance: Instance, trustedAuthorities: string): Daemon {
  const root = join(instance.stateDirectory, 'buildkit');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  return {
    argv: [
      'buildkitd',
      '--addr',
      address(instance),
      '--root',
      root,
      '--otel-socket-path',
      join(runDirectory(instance), 'otel.sock'),
      '--oci-worker-net',
      'host',
      '--containerd-worker=false',
    ],
    env: { ...process.env, SSL_CERT_FILE: trustedAuthorities },
    ...filesOf(instance, 'builder'),
  };
}

/** Makes the daemon known to buildx under the instance's name. */
export async function registerBuilder(instance: Instance): Promise<void> {
  const name = builderName(instance);
  await run(['docker', 'buildx', 'rm', '--force', name], { allowedExitCodes: [0, 1] });
  await run([
    'docker',
    'buildx',
    'create',
    '--name',
    name,
    '--driver',
    'remote',
    address(instance),
  ]);
}

export async function forgetBuilder(instance: Instance): Promise<void> {
  const name = builderName(instance);
  await run(['docker', 'buildx', 'rm', '--force', name], { allowedExitCodes: [0, 1] });
}

function address(instance: Instance): string {
  return `unix://${join(runDirectory(instance), 'buildkitd.sock')}`;
}
