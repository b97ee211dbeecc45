# Packs a root as an image archive of one layer, which both `docker load` and
# `skopeo copy docker-archive:FILE docker://…` read.
# shellcheck shell=bash

#   write_image ROOT OUTPUT NAME:TAG CONFIG_JSON
write_image() {
  local root=$1 output=$2 tag=$3 config=$4 work=$1.image layer
  mkdir -p "$work"
  tar --numeric-owner --sort=name --xattrs --xattrs-include=security.capability \
    -C "$root" -cf "$work/layer.tar" .
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  cat >"$work/config.json" <<JSON
{
  "architecture": "amd64",
  "os": "linux",
  "created": "$(date -u +%Y-%m-%dT%H:%M:%SZ)",
  "config": $(cat "$config"),
  "rootfs": { "type": "layers", "diff_ids": ["sha256:$layer"] },
  "history": [{ "created": "$(date -u +%Y-%m-%dT%H:%M:%SZ)", "created_by": "tools/images/build" }]
}
JSON
  echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"$tag\"],\"Layers\":[\"layer.tar\"]}]" \
    >"$work/manifest.json"
  tar -C "$work" -cf "$output" manifest.json config.json layer.tar
  rm -rf "$work"
}
