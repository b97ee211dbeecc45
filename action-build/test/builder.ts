import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { startDaemon } from './daemon.ts';

export interface Builder {
  /** What selects it: for the environment of a build. */
  env: { BUILDX_CONFIG: string; BUILDX_BUILDER: string };
  stop(): Promise<void>;
}

/**
 * A BuildKit of the test's own, known to buildx by a configuration in the same folder; it would
 * take a registry on loopback for one without TLS.
 */
export async function startBuilder(
  folder: string,
  registry: { address: string; authority: string },
): Promise<Builder> {
  const socket = join(folder, 'buildkitd.sock');
  const configuration = join(folder, 'buildkitd.toml');
  const { address, authority } = registry;
  writeFileSync(configuration, `[registry."${address}"]\nhttp = false\nca = ["${authority}"]\n`);
  const daemon = await startDaemon(
    [
      ...[
        'buildkitd',
        '--config',
        configuration,
        '--addr',
        `unix://${socket}`,
        '--root',
        join(folder, 'buildkit'),
      ],
      ...['--otel-socket-path', join(folder, 'otel.sock')],
      ...['--oci-worker-net', 'host', '--containerd-worker=false'],
    ],
    join(folder, 'buildkitd.log'),
    () => listening(socket),
  );
  const env = { BUILDX_CONFIG: join(folder, 'buildx'), BUILDX_BUILDER: 'test' };
  await run(
    ['docker', 'buildx', 'create', '--name', 'test', '--driver', 'remote', `unix://${socket}`],
    { env: { ...process.env, ...env } },
  );
  return { env, stop: daemon.stop };
}

function listening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
