# PgBouncer newer than Debian 12's 1.18, whose transaction pooling breaks JDBC's prepared
# statements: the binary of Debian's next release, with the libraries of that release beside it.
# shellcheck shell=bash

readonly PGBOUNCER_SUITE=forky
readonly PGBOUNCER_MINIMUM=1.25.2
readonly PGBOUNCER_HOME=usr/lib/pgbouncer
readonly PGBOUNCER_LIBRARIES=(libaudit1 libc6 libcap-ng0 libcap2 libcares2 libevent-2.1-7t64
  libldap2 libpam0g libsasl2-2 libssl3t64 libsystemd0 libzstd1 zlib1g)

# Runs apt with the newer release as its only source, away from the machine's own.
#   newer_apt WORK COMMAND ARGUMENT…
newer_apt() {
  local apt=$1/newer-apt command=$2
  shift 2
  "apt-$command" -qq -o APT::Architecture=amd64 -o APT::Sandbox::User=root \
    -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State::status="$apt/status" -o Dir::State::lists="$apt/lists" \
    -o Dir::Cache="$apt/cache" -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

fetch_pgbouncer() {
  local work=$1 apt=$1/newer-apt debs=$1/newer-debs package
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$debs" "$work/newer"
  : >"$apt/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
    "$(debian_mirror) $PGBOUNCER_SUITE main" >"$apt/sources.list"
  newer_apt "$work" get update
  (cd "$debs" && newer_apt "$work" get download pgbouncer "${PGBOUNCER_LIBRARIES[@]}")
  for package in "$debs"/lib*.deb "$debs"/zlib*.deb; do
    dpkg-deb --extract "$package" "$work/newer"
  done
  dpkg-deb --raw-extract "$debs"/pgbouncer_*.deb "$work/pgbouncer"
  PGBOUNCER_VERSION=$(dpkg-deb --field "$debs"/pgbouncer_*.deb Version)~compta12+1
  dpkg --compare-versions "$PGBOUNCER_VERSION" ge "$PGBOUNCER_MINIMUM" || {
    echo "pgbouncer $PGBOUNCER_VERSION of $PGBOUNCER_SUITE is older than $PGBOUNCER_MINIMUM" >&2
    return 1
  }
}

# Makes WORK/pgbouncer, the unpacked package, one that Debian 12 can install.
build_pgbouncer() {
  local tree=$1/pgbouncer libraries=$1/newer/usr/lib/x86_64-linux-gnu
  mkdir -p "$tree/$PGBOUNCER_HOME"
  cp -P "$libraries"/*.so* "$tree/$PGBOUNCER_HOME/"
  patchelf --set-interpreter "/$PGBOUNCER_HOME/ld-linux-x86-64.so.2" \
    --force-rpath --set-rpath "/$PGBOUNCER_HOME" "$tree/usr/sbin/pgbouncer"
  sed -i -e "s/^Version: .*/Version: $PGBOUNCER_VERSION/" \
    -e 's/^Depends: .*/Depends: postgresql-common/' "$tree/DEBIAN/control"
  rm -rf "$tree/DEBIAN/md5sums" "$tree/usr/share/man" "$tree/usr/share/doc"
}
