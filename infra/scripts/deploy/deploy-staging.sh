#!/bin/sh
# Releases to staging by hand: `compta deploy` under the same lease as the pipeline. See compta --help.
# Usage: deploy-staging.sh OUTPUTS.json --private-key FILE --version V --images FILE --variables FILE
set -eu
[ "${1:-}" != --help ] || { sed -n '2,3s/^# //p' "$0"; exit; }
outputs=${1:?"give the file of terraform output -json of staging first"}
[ -r "$outputs" ] || { echo "$outputs cannot be read: give the file of terraform output -json first" >&2; exit 2; }
shift
root=$(cd "$(dirname "$0")/../../.." && pwd)
grep -q '"staging"' "$outputs" || { echo "$outputs is not of staging" >&2; exit 1; }
exec node "$root/cli/dist/main/index.js" deploy --terraform-outputs "$outputs" \
    --compose-file "$root/infra/docker/compose/staging/docker-compose.yml.j2" --caddyfile "$root/infra/docker/Caddyfile" "$@"
