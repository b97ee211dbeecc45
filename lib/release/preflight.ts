import { dockerConfig, type Login } from '../registry/login.ts';
import { ReleaseFailure } from './evidence.ts';
import { type Host, noSpace } from './host.ts';

const gibibyte = 1024 ** 3;
/** Bytes that must stay free whatever is pulled, for logs and what an image needs while it is unpacked. */
const reserve = 1 * gibibyte;

export interface Need {
  /** Bytes that the second slots which are up at once may take; asked for when Docker answers. */
  memory: () => Promise<number>;
  /** Images that will be pulled. */
  images: readonly string[];
}

/**
 * What must hold before anything is changed on a host.
 * @throws ReleaseFailure with one sentence for the first thing that does not hold.
 */
export async function preflight(host: Host, { memory, images }: Need): Promise<void> {
  const script = `docker version -f '{{.Server.Version}}' || exit 61
docker compose version --short || exit 62
command -v curl >/dev/null || exit 63
df -B1 --output=avail "$(docker info -f '{{.DockerRootDir}}')" | tail -1
awk '/^MemAvailable/ {print $2 * 1024}' /proc/meminfo
for image; do
  docker image inspect "$image" >/dev/null 2>&1 && continue
  earlier=$(docker images -q "\${image%@*}")
  [ -z "$earlier" ] || docker image inspect -f '{{.Size}}' $earlier | sort -n | tail -1
done`;
  const words = ['sh', '-c', script, 'preflight', ...images];
  const { code, stdout, stderr } = await host.read(words, { allowFailure: true });
  const said = stderr.trim().split('\n').at(-1) ?? '';
  if (code === 61) throw new ReleaseFailure(`Docker does not answer on ${host.name}: ${said}`);
  if (code === 62) throw new ReleaseFailure(`${host.name} has no \`docker compose\`: ${said}`);
  if (code === 63) throw new ReleaseFailure(`${host.name} has no curl; install it.`);
  if (code !== 0) throw new ReleaseFailure(`${host.name} cannot be examined: ${said}`);
  const [, , disk = 0, free = 0, ...sizes] = stdout.trim().split('\n').map(Number);
  // An image takes about what the one before it took; of one that was never here nothing is known.
  const disks = sizes.reduce((sum, size) => sum + size, reserve);
  if (disk < disks) {
    throw new ReleaseFailure(
      `${host.name} has ${gigabytes(disk)} free for images and needs ${gigabytes(disks)}. ` +
        'Remove what else lies there, or lower `keep`.',
    );
  }
  const slots = await memory();
  if (free < slots) {
    throw new ReleaseFailure(
      `${host.name} has ${gigabytes(free)} of memory to spare and second slots may take ` +
        `${gigabytes(slots)}.`,
    );
  }
}

/**
 * Fetches images by digest; those that are there cost nothing. A login comes by standard input, lies
 * in memory for the time of the pull, and is gone after it. Who is cancelled waits for no pull, which
 * ends by itself: it is minutes, and a job that is cancelled has seconds.
 * @returns how many had to be fetched.
 */
export async function pull(
  host: Host,
  images: readonly string[],
  { login, cancelled }: { login?: Login; cancelled: AbortSignal },
): Promise<number> {
  const script = `set -eu
if [ "$1" = login ]; then
  DOCKER_CONFIG=$(mktemp -d /dev/shm/compta.XXXXXX)
  export DOCKER_CONFIG
  trap 'rm -rf "$DOCKER_CONFIG"' EXIT
  trap 'exit 1' HUP INT TERM
  cat >"$DOCKER_CONFIG/config.json"
fi
shift
for image; do
  docker image inspect "$image" >/dev/null 2>&1 || docker pull -q "$image"
done`;
  const words = ['sh', '-c', script, 'pull', login === undefined ? '' : 'login'];
  const { code, stdout, stderr } = await host.read([...words, ...new Set(images)], {
    allowFailure: true,
    timeoutMs: 900_000,
    signal: cancelled,
    ...(login !== undefined && { input: dockerConfig(login) }),
  });
  if (code === 0) return stdout.split('\n').filter((line) => line !== '').length;
  const reason = stderr.trim().split('\n').at(-1) ?? '';
  const [, remedy] = remedies.find(([sign]) => sign.test(reason)) ?? [];
  const advice = remedy ?? 'Check that the registry answers from there.';
  throw new ReleaseFailure(`${host.name} cannot pull an image: ${reason} ${advice}`);
}

/** Those of the images that are not on a host. */
export async function absentImages(host: Host, images: readonly string[]): Promise<string[]> {
  const script =
    'for image; do docker image inspect "$image" >/dev/null 2>&1 || echo "$image"; done';
  const { stdout } = await host.read(['sh', '-c', script, 'absent', ...new Set(images)]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** By what Docker says, what there is to do. */
const remedies: [sign: RegExp, remedy: string][] = [
  [
    /verification failed|unexpected (commit )?digest|does not match/i,
    'What the registry holds is not what was built: find out who changed it, then build and push anew.',
  ],
  [noSpace, 'Its disk is full: remove what else lies there, or lower `keep`.'],
  [
    /unauthorized|denied|authentication required|no basic auth/i,
    'Check `username` and `password`, or that Ansible has logged root in to the registry.',
  ],
  [/not found|manifest unknown/i, 'It is not in the registry: build and push it anew.'],
];

function gigabytes(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}
