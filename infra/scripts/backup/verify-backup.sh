#!/bin/sh
# Proves the newest backup of every database by restoring it: playbooks/restore-drill.yml, as a person runs it.
# Usage: verify-backup.sh ENVIRONMENT IDENTITY_FILE [--dry-run] [ansible-playbook option …]
#   --dry-run  says which backups those are, and whether there is room to restore them; changes nothing
#   --extra-vars restore_drill_moment=random     brings the cluster to a moment as well
#   --extra-vars restore_drill_report=FILE       keeps the figures, and each schema's history for
#                                                compta migrate validate --drill-report FILE
set -eu
[ "${1:-}" != --help ] || { sed -n '2,7s/^# //p' "$0"; exit; }
environment=${1:?"give the environment first: production, staging or dev"}
identity=${2:?"give the file that has an age identity"}
shift 2
grep -q '^AGE-SECRET-KEY-1' "$identity" || { echo "$identity has no age identity (AGE-SECRET-KEY-1…)" >&2; exit 2; }
identity=$(realpath "$identity")
[ "${1:-}" != --dry-run ] || { shift && set -- --check "$@"; }
cd "$(dirname "$0")/../../ansible"
[ -d "inventories/$environment" ] || { echo "there is no environment $environment" >&2; exit 2; }
exec ansible-playbook --inventory "inventories/$environment" playbooks/restore-drill.yml \
    --extra-vars "{\"backup_identity_file\": \"$identity\", \"restore_drill_moment\": \"\"}" "$@"
