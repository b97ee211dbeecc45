#!/bin/sh
# Puts a backup back: playbooks/restore.yml, as a person runs it.
# Usage: restore-db.sh ENVIRONMENT DATABASE BACKUP [CONFIRMATION] [options of ansible-playbook]
#   BACKUP        latest, until=<time>, the name of a backup, or its path on the database server
#   CONFIRMATION  the database's name again, when it holds data
#   and, for a backup at the remote, --extra-vars backup_identity_file=FILE
set -eu
environment=${1:?"give the environment first: staging or production"}
database=${2:?"give the database"}
backup=${3:?"give the backup: latest, until=<time>, a name or a path"}
shift 3
case ${1:--} in -*) confirm='' ;; *) confirm=$1 && shift ;; esac
cd "$(dirname "$0")/../../ansible"
exec ansible-playbook --inventory "inventories/$environment" playbooks/restore.yml \
    --extra-vars "{\"restore_database\": \"$database\", \"restore_backup\": \"$backup\", \"restore_confirm\": \"$confirm\"}" "$@"
