#!/usr/bin/env bash
# cloud-init.sh ROOT: the first boot of the unpacked server image ROOT, as far as cloud-init makes it,
# in namespaces of its own and without this machine's disks.
set -euo pipefail
if [ "${2-}" != inside ]; then
  exec unshare --mount --pid --net --uts --ipc --fork --kill-child "$0" "$1" inside
fi

root=$1
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mkdir "$root/run/sshd"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
chroot "$root" cloud-init init --local
chroot "$root" cloud-init init
chroot "$root" cloud-init modules --mode=config
chroot "$root" cloud-init modules --mode=final
