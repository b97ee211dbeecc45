import { type Instance, nameOf } from '../instance.ts';

/**
 * Holds a server's boot until its interfaces and disks are in place, as a real machine
 * has them at power-on, and turns Docker's mounts over files that a server owns (hostname,
 * hosts, resolv.conf) into plain files: a mount point cannot be replaced by a rename.
 *
 * In a container systemd leaves /etc/fstab's devices out; a runtime unit mounts them. The
 * server's branch of the cgroup tree is mounted read-only without --privileged; systemd and
 * Docker inside need to write there.
 */
const BOOT = `
until [ -e /run/powered ]; do sleep 0.02; done
findmnt --noheadings --raw --output=TARGET --types=cgroup,cgroup2 | while read -r tree; do
  mount -o remount,bind,rw "$tree"
done
for file in hostname hosts resolv.conf; do
  content=$(cat /etc/$file)
  umount /etc/$file
  [ -e /var/lib/cloud/instance ] || printf '%s\\n' "$content" > /etc/$file
done
mkdir -p /run/systemd/system/local-fs.target.wants
cat > /run/systemd/system/volumes.service <<END
[Unit]
Description=Mount the volumes of /etc/fstab
DefaultDependencies=no
Before=local-fs.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mount --all
END
ln -s ../volumes.service /run/systemd/system/local-fs.target.wants/
exec /sbin/init
`;

/** The file whose appearance lets a server boot; on a tmpfs, so each boot waits for it. */
export const POWERED = '/run/powered';

export function containerName(instance: Instance, serverName: string): string {
  return `${nameOf(instance)}-${serverName}`;
}

/** The volume behind /var/lib/docker: Docker inside a server needs a file system without layers. */
export function dockerVolume(instance: Instance, serverId: number): string {
  return `${nameOf(instance)}-docker-${serverId}`;
}

export function instanceLabel(instance: Instance): string {
  return `compta.instance=${instance.number}`;
}

/**
 * `docker create`'s arguments for a server: systemd as its init, without --privileged.
 *
 * It sees its own branch of the cgroup tree alone, so what Docker inside makes of groups is
 * within the server's, and goes with it.
 */
export function createArguments(
  instance: Instance,
  server: { id: number; name: string },
  image: string,
  seedDirectory: string,
  nameServers: readonly string[],
): string[] {
  return [
    'create',
    `--name=${containerName(instance, server.name)}`,
    `--hostname=${server.name}`,
    `--label=${instanceLabel(instance)}`,
    `--label=compta.server=${server.id}`,
    '--network=none',
    ...nameServers.map((address) => `--dns=${address}`),
    '--dns-search=.',
    `--add-host=${server.name}:127.0.1.1`,
    '--cap-add=SYS_ADMIN',
    '--cap-add=NET_ADMIN',
    '--cap-add=SYS_PTRACE',
    '--cap-add=SYS_BOOT', // so that a reboot's exit code differs from a power-off's
    '--security-opt=seccomp=unconfined',
    '--security-opt=apparmor=unconfined',
    '--security-opt=systempaths=unconfined',
    '--cgroupns=private',
    '--shm-size=1g', // PostgreSQL's parallel queries
    '--tmpfs=/run',
    '--tmpfs=/run/lock',
    '--tmpfs=/tmp:exec',
    `--volume=${seedDirectory}:/var/lib/cloud/seed/nocloud:ro`,
    `--volume=${dockerVolume(instance, server.id)}:/var/lib/docker`,
    '--device-cgroup-rule=b 7:* rwm', // loop devices: volumes attach to a running server
    '--env=container=docker',
    '--stop-signal=SIGRTMIN+3',
    image,
    '/bin/sh',
    '-c',
    BOOT,
  ];
}
