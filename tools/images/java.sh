# The services' base: Debian 12 with a headless Java runtime, curl for health checks,
# and the user that every service runs as.
# shellcheck shell=bash

readonly JAVA_MAJOR=17

#   build_java BASE_ROOT ROOT OUTPUT
build_java() {
  local root=$2 debs=$CACHE/debs/java
  cp -a "$1" "$root"
  mkdir -p "$root/usr/share/man/man1" # the runtime's alternatives want it
  install_in "$root" "$debs" "openjdk-$JAVA_MAJOR-jre-headless" ca-certificates curl tini
  ln -s "/usr/lib/jvm/java-$JAVA_MAJOR-openjdk-amd64" "$root/opt/java"
  in_root "$root" "$debs" groupadd --gid 10001 compta
  in_root "$root" "$debs" useradd --uid 10001 --gid 10001 --home-dir /app --create-home \
    --shell /usr/sbin/nologin compta
  clean_root "$root"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/{apt,debconf,ldconfig}/* \
    "$root"/usr/share/{man,info,locale,lintian,bash-completion}/* "$root"/var/log/*
  find "$root/usr/share/doc" -depth \( -type f ! -name copyright -o -type l -o -empty \) -delete
  write_image "$root" "$3" "compta/java:$JAVA_MAJOR" "$FOLDER/java/config.json"
}
