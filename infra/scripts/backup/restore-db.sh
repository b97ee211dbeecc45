#!/bin/sh
# Puts a backup back, under the release lease: playbooks/restore.yml, as a person runs it.
# Usage: restore-db.sh ENVIRONMENT DATABASE BACKUP [CONFIRMATION] [options of ansible-playbook]
#   BACKUP        latest, until=<time>, the name of a backup, or its path on the database server
#   CONFIRMATION  the database's name again, when it holds data
#   and, for a backup at the remote, --extra-vars backup_identity_file=FILE
# The environment has COMPTA_TERRAFORM_OUTPUTS, the file of `terraform output -json`, and COMPTA_SSH_KEY,
# the deploy user's key itself.
set -eu
[ "${1:-}" != --help ] || { sed -n '2,8s/^# //p' "$0"; exit; }
environment=${1:?"give the environment first: production, staging or dev"}
database=${2:?"give the database"}
backup=${3:?"give the backup: latest, until=<time>, a name or a path"}
outputs=$(realpath "${COMPTA_TERRAFORM_OUTPUTS:?"set it to the file of terraform output -json"}")
: "${COMPTA_SSH_KEY:?"set it to the deploy user's private key itself"}"
shift 3
case ${1:--} in -*) confirm='' ;; *) confirm=$1 && shift ;; esac
grep -q "\"$environment\"" "$outputs" || { echo "$outputs is not of $environment" >&2; exit 1; }
cd "$(dirname "$0")/../../ansible"
[ -d "inventories/$environment" ] || { echo "there is no environment $environment" >&2; exit 2; }
export COMPTA_TERRAFORM_OUTPUTS="$outputs"
exec node ../../cli/dist/main/index.js lock --reason "restore of $database from $backup" -- \
    ansible-playbook --inventory "inventories/$environment" playbooks/restore.yml \
    --extra-vars "{\"restore_database\": \"$database\", \"restore_backup\": \"$backup\", \"restore_confirm\": \"$confirm\"}" "$@"
