import { connect } from 'node:net';
import { join } from 'node:path';
import { run } from '../../lib/process/run.ts';
import { startDaemon } from './daemon.ts';

export interface Builder {
  /** What selects it: for the environment of a build. */
  env: { BUILDX_CONFIG: string; BUILDX_BUILDER: string };
  stop(): Promise<void>;
}

/** A BuildKit of the test's own, known to buildx by a configuration in the same folder. */
export async function startBuilder(folder: string): Promise<Builder> {
  const socket = join(folder, 'buildkitd.sock');
  const daemon = await startDaemon(
    [
      ...['buildkitd', '--addr', `unix://${socket}`, '--root', join(folder, 'buildkit')],
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
