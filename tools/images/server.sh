# The server: Debian 12 with systemd and cloud-init, as a root tar for `docker import`.
# shellcheck shell=bash

#   build_server BASE_ROOT ROOT OUTPUT
build_server() {
  local root=$2 debs=$CACHE/debs/server packages
  cp -a "$1" "$root"
  cp -r "$FOLDER/server/." "$root/"
  packages=$(package_list "$FOLDER/server-packages.txt")
  # shellcheck disable=SC2086 # a list of words
  install_in "$root" "$debs" $packages
  sed -i 's/^# *en_US.UTF-8 UTF-8/en_US.UTF-8 UTF-8/' "$root/etc/locale.gen"
  in_root "$root" "$debs" locale-gen
  echo 'LANG=en_US.UTF-8' >"$root/etc/default/locale"
  # A container has no disk to grow, no console to log in at, and no kernel of its own.
  in_root "$root" "$debs" systemctl mask --quiet \
    getty.target console-getty.service systemd-udevd.service systemd-udevd-kernel.socket \
    systemd-udevd-control.socket systemd-udev-trigger.service systemd-modules-load.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    e2scrub_all.timer fstrim.timer
  in_root "$root" "$debs" systemctl set-default --quiet multi-user.target
  ship_debs "$root" "$CACHE/debs/roles"
  clean_root "$root"
  tar --numeric-owner --xattrs -C "$root" -cf "$3" .
}

# Puts the .deb files of server-cache.txt and of their dependencies into the root's apt cache.
#   ship_debs ROOT DEB_CACHE
ship_debs() {
  local root=$1 debs=$2 packages uri name
  packages=$(package_list "$FOLDER/server-cache.txt")
  # shellcheck disable=SC2086 # a list of words
  in_root "$root" "$debs" apt-get -qq install --download-only --no-install-recommends -y $packages
  # The folder may keep older versions from earlier runs, so apt names what it wants now.
  # shellcheck disable=SC2086
  in_root "$root" "$debs" apt-get -qq -o Dir::Cache::archives=/tmp install --print-uris \
    --no-install-recommends -y $packages |
    while read -r uri name _; do
      [[ $uri == \'http* ]] && cp "$debs/$name" "$root/var/cache/apt/archives/"
    done
}
