#!/bin/sh
# Backs a database up now, or all of them and the roles: playbooks/backup.yml, as a person runs it.
# Usage: backup-db.sh ENVIRONMENT [DATABASE] [--dry-run] [ansible-playbook option …]
#   --dry-run  says what would be backed up, to where, and whether there is room for it; changes nothing
set -eu
[ "${1:-}" != --help ] || { sed -n '2,4s/^# //p' "$0"; exit; }
environment=${1:?"give the environment first: production, staging or dev"}
shift
case ${1:--} in -*) database='' ;; *) database=$1 && shift ;; esac
case $database in *[!a-z0-9_]*) echo "'$database' is not the name of a database" >&2; exit 2 ;; esac
[ "${1:-}" != --dry-run ] || { shift && set -- --check "$@"; }
cd "$(dirname "$0")/../../ansible"
[ -d "inventories/$environment" ] || { echo "there is no environment $environment" >&2; exit 2; }
exec ansible-playbook --inventory "inventories/$environment" playbooks/backup.yml --extra-vars "backup_database=$database" "$@"
