# A signed Debian repository made of .deb files.
# shellcheck shell=bash

# Packs the tree WORK/NAME with the control files of the folder of that name.
#   pack WORK NAME VERSION OUTPUT_FOLDER
pack() {
  local tree=$1/$2 control=$FOLDER/$2 size
  if [[ -d $control ]]; then
    mkdir -p "$tree/DEBIAN"
    size=$(du -sk --exclude=DEBIAN "$tree" | cut -f1)
    sed -e "s/@VERSION@/$3/" -e "s/@SIZE@/$size/" "$control/control" >"$tree/DEBIAN/control"
    find "$control" -type f ! -name control -exec install -m 0755 -t "$tree/DEBIAN" {} +
  fi
  find "$tree" -path "$tree/DEBIAN" -prune -o -type d -exec chmod 0755 {} +
  dpkg-deb --root-owner-group -Zgzip --build "$tree" "$4/$2_$3_amd64.deb" >/dev/null
}

# Prints the Packages index of the pool below a repository.
packages_index() {
  local deb
  cd "$1" || return
  for deb in pool/*.deb; do
    dpkg-deb --field "$deb"
    printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat --format %s "$deb")" \
      "$(sha256sum "$deb" | cut -d' ' -f1)"
  done
}

# Writes indexes and their signatures for one suite over the repository's pool.
#   publish REPOSITORY SUITE GNUPGHOME
publish() {
  local dist=$1/dists/$2 index
  index=main/binary-amd64
  mkdir -p "$dist/$index"
  (packages_index "$1") >"$dist/$index/Packages"
  gzip --keep --no-name --best "$dist/$index/Packages"
  {
    printf 'Origin: COMPTA local cloud\nLabel: PostgreSQL for Debian\n'
    printf 'Suite: %s\nCodename: %s\nDate: %s\n' "$2" "$2" "$(LC_ALL=C date -Ru)"
    printf 'Architectures: amd64\nComponents: main\nSHA256:\n'
    (cd "$dist" && for file in "$index"/Packages*; do
      printf ' %s %s %s\n' "$(sha256sum "$file" | cut -d' ' -f1)" "$(stat --format %s "$file")" "$file"
    done)
  } >"$dist/Release"
  gpg --homedir "$3" --batch --yes --armor --detach-sign --output "$dist/Release.gpg" "$dist/Release"
  gpg --homedir "$3" --batch --yes --clear-sign --output "$dist/InRelease" "$dist/Release"
}

# Makes the repository's key once, outside the repository; prints nothing.
#   signing_key GNUPGHOME
signing_key() {
  [[ ! -s $1/pubring.kbx ]] || return 0
  mkdir -p "$1"
  chmod 0700 "$1"
  gpg --homedir "$1" --batch --quiet --passphrase '' \
    --quick-generate-key 'COMPTA local cloud packages' ed25519 sign never
}
