#!/bin/sh
# Backs a database up now, or all of them: playbooks/backup.yml, as a person runs it.
# Usage: backup-db.sh ENVIRONMENT [DATABASE] [options of ansible-playbook]
set -eu
environment=${1:?"give the environment first: staging or production"}
shift
case ${1:--} in -*) database='' ;; *) database=$1 && shift ;; esac
cd "$(dirname "$0")/../../ansible"
exec ansible-playbook --inventory "inventories/$environment" playbooks/backup.yml --extra-vars "backup_database=$database" "$@"
