#!/bin/sh
# Puts an earlier release back by hand: `compta rollback`. See compta --help.
# Usage: rollback.sh OUTPUTS.json --private-key FILE --reason TEXT --confirm ENVIRONMENT [--version V]
set -eu
outputs=${1:?"give the file of terraform output -json first"}
shift
root=$(cd "$(dirname "$0")/../../.." && pwd)
exec node "$root/cli/dist/main/index.js" rollback --terraform-outputs "$outputs" "$@"
