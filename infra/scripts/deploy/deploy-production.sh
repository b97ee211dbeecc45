#!/bin/sh
# Releases to production by hand: `compta deploy` under the same lease as the pipeline. See compta --help.
# Usage: deploy-production.sh OUTPUTS.json --private-key FILE --version V --images FILE --variables FILE
set -eu
[ "${1:-}" != --help ] || { sed -n '2,3s/^# //p' "$0"; exit; }
outputs=${1:?"give the file of terraform output -json of production first"}
[ -r "$outputs" ] || { echo "$outputs cannot be read: give the file of terraform output -json first" >&2; exit 2; }
shift
root=$(cd "$(dirname "$0")/../../.." && pwd)
grep -q '"production"' "$outputs" || { echo "$outputs is not of production" >&2; exit 1; }
exec node "$root/cli/dist/main/index.js" deploy --terraform-outputs "$outputs" \
    --compose-file "$root/infra/docker/compose/production/docker-compose.yml.j2" --caddyfile "$root/infra/docker/Caddyfile" "$@"
