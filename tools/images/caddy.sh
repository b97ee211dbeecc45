# The edge: one static binary with the authorities it trusts, no shell.
# shellcheck shell=bash

#   build_caddy JAVA_ROOT_OR_OTHER_WITH_CA ROOT OUTPUT
build_caddy() {
  local root=$2 version
  mkdir -p "$root"/{usr/bin,etc/caddy,etc/ssl/certs,srv,config/caddy,data/caddy,tmp}
  # infra/docker/caddy, built by the installer.
  install -m 0755 "$CACHE/bin/caddy" "$root/usr/bin/caddy"
  version=$("$root/usr/bin/caddy" version | sed -n 's/^v\([0-9.]*\) .*/\1/p')
  # As in the official image: who drops every capability cannot start it.
  setcap cap_net_bind_service=+ep "$root/usr/bin/caddy"
  chmod 1777 "$root/tmp"
  cp "$1/etc/ssl/certs/ca-certificates.crt" "$root/etc/ssl/certs/"
  printf 'root:x:0:0:root:/root:/sbin/nologin\ncompta:x:10001:10001::/srv:/sbin/nologin\n' \
    >"$root/etc/passwd"
  printf 'root:x:0:\ncompta:x:10001:\n' >"$root/etc/group"
  chown -R 10001:10001 "$root/config" "$root/data" "$root/srv"
  write_image "$root" "$3" "compta/caddy:$version" "$FOLDER/caddy/config.json"
}
