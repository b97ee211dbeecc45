# Functions that make Debian roots. Sourced by build; works as root only.
# shellcheck shell=bash

readonly SUITE=bookworm

# Prints the package names of a list file (one a line, # starts a comment).
package_list() { sed 's/#.*//' "$1" | xargs; }

# Prints the Debian archive to use: COMPTA_DEBIAN_MIRROR, else the one that this
# machine's own apt has for the same suite, else debootstrap's default.
debian_mirror() {
  local mirror=${COMPTA_DEBIAN_MIRROR:-}
  # shellcheck disable=SC2016 # apt's placeholders, not the shell's
  [[ -n $mirror ]] || mirror=$(
    apt-get indextargets --format '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)' \
      'Created-By: Packages' 2>/dev/null |
      awk -F'|' -v suite="$SUITE" '$1 == "Debian" && $2 == suite && $3 == "main" { print $4; exit }' ||
      true
  )
  [[ -n $mirror ]] || mirror=$(sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' "$(command -v debootstrap)")
  echo "${mirror%/}"
}

# Runs a command in a root, with its own mounts (they vanish with it, even on kill -9)
# and with DEB_CACHE as apt's folder for .deb files. No service is started there.
#   in_root ROOT DEB_CACHE COMMAND…
in_root() {
  local root=$1 debs=$2
  shift 2
  mkdir -p "$debs/partial"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 0755 "$root/usr/sbin/policy-rc.d"
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  # shellcheck disable=SC2016 # expanded by the inner shell
  ROOT=$root DEBS=$debs unshare --mount --pid --fork --kill-child bash -euc '
    mount -t proc proc "$ROOT/proc"
    mount --bind "$DEBS" "$ROOT/var/cache/apt/archives"
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive chroot "$ROOT" "$@"' in_root "$@"
  rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf"
}

# Installs packages without recommendations.
#   install_in ROOT DEB_CACHE PACKAGE…
install_in() {
  local root=$1 debs=$2
  shift 2
  in_root "$root" "$debs" apt-get -qq -o Dpkg::Use-Pty=0 install --no-install-recommends -y "$@"
}

# Makes a minimal Debian root that knows the archive's updates and security suites.
#   debian_base ROOT DEB_CACHE
debian_base() {
  local root=$1 debs=$2 mirror
  mkdir -p "$debs"
  mirror=$(debian_mirror)
  debootstrap --variant=minbase --cache-dir="$debs" "$SUITE" "$root" "$mirror"
  rm -f "$root"/var/cache/apt/archives/*.deb
  cat >"$root/etc/apt/sources.list" <<LIST
deb $mirror $SUITE main
deb $mirror $SUITE-updates main
deb $mirror-security $SUITE-security main
LIST
  echo 'force-unsafe-io' >"$root/etc/dpkg/dpkg.cfg.d/80-compta-build"
  printf 'Acquire::Languages "none";\nAcquire::Retries "3";\n' \
    >"$root/etc/apt/apt.conf.d/80-compta-build"
  in_root "$root" "$debs" apt-get -qq update
  in_root "$root" "$debs" apt-get -qq -o Dpkg::Use-Pty=0 upgrade -y
}

# Takes away what belongs to this machine or this minute, before a root is packed.
clean_root() {
  local root=$1
  rm -f "$root"/etc/dpkg/dpkg.cfg.d/80-compta-build "$root"/etc/apt/apt.conf.d/80-compta-build \
    "$root"/etc/ssh/ssh_host_* "$root"/var/lib/dbus/machine-id \
    "$root"/var/log/{bootstrap,alternatives,dpkg}.log "$root"/var/cache/apt/*.bin
  rm -rf "$root"/var/log/apt "$root"/tmp/* "$root"/var/tmp/*
  : >"$root/etc/machine-id"
}
