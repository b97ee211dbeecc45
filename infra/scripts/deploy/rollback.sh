#!/bin/sh
# Puts an earlier release back by hand: `compta rollback`. See compta --help.
# Usage: rollback.sh OUTPUTS.json --private-key FILE --reason TEXT --confirm ENVIRONMENT [--version V]
set -eu
[ "${1:-}" != --help ] || { sed -n '2,3s/^# //p' "$0"; exit; }
outputs=${1:?"give the file of terraform output -json first"}
[ -r "$outputs" ] || { echo "$outputs cannot be read: give the file of terraform output -json first" >&2; exit 2; }
shift
root=$(cd "$(dirname "$0")/../../.." && pwd)
exec node "$root/cli/dist/main/index.js" rollback --terraform-outputs "$outputs" "$@"
