import { ReleaseFailure } from './evidence.ts';
import type { Host } from './host.ts';

const gibibyte = 1024 ** 3;
/** Bytes that must be free before images are pulled. */
const neededDisk = 1 * gibibyte;

/**
 * What must hold before anything is changed on a host.
 * @param memory bytes that the largest second slot may take.
 * @throws ReleaseFailure with one sentence for the first thing that does not hold.
 */
export async function preflight(host: Host, memory: number): Promise<void> {
  const script = `docker version -f '{{.Server.Version}}' || exit 61
docker compose version --short || exit 62
command -v curl >/dev/null || exit 63
df -B1 --output=avail "$(docker info -f '{{.DockerRootDir}}')" | tail -1
awk '/^MemAvailable/ {print $2 * 1024}' /proc/meminfo`;
  const { code, stdout, stderr } = await host.read(['sh', '-c', script], { allowFailure: true });
  const said = stderr.trim().split('\n').at(-1) ?? '';
  if (code === 61) throw new ReleaseFailure(`Docker does not answer on ${host.name}: ${said}`);
  if (code === 62) throw new ReleaseFailure(`${host.name} has no \`docker compose\`: ${said}`);
  if (code === 63) throw new ReleaseFailure(`${host.name} has no curl; install it.`);
  if (code !== 0) throw new ReleaseFailure(`${host.name} cannot be examined: ${said}`);
  const [, , disk = 0, free = 0] = stdout.trim().split('\n').map(Number);
  if (disk < neededDisk) {
    throw new ReleaseFailure(
      `${host.name} has ${gigabytes(disk)} free for images and needs ${gigabytes(neededDisk)}.`,
    );
  }
  if (free < memory) {
    throw new ReleaseFailure(
      `${host.name} has ${gigabytes(free)} of memory to spare and a second slot may take ` +
        `${gigabytes(memory)}.`,
    );
  }
}

/** Fetches images by digest; those that are there cost nothing. */
export async function pull(host: Host, images: readonly string[]): Promise<void> {
  const script = `for image; do
  docker image inspect "$image" >/dev/null 2>&1 || docker pull -q "$image" || exit 1
done`;
  const { code, stderr } = await host.read(['sh', '-c', script, 'pull', ...new Set(images)], {
    allowFailure: true,
    timeoutMs: 900_000,
  });
  if (code === 0) return;
  const reason = stderr.trim().split('\n').at(-1) ?? '';
  throw new ReleaseFailure(
    `${host.name} cannot pull an image: ${reason} Check that the registry answers from there and ` +
      'that Ansible has logged root in to it.',
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}
