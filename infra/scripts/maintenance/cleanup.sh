#!/bin/sh
# Removes what an environment's servers do not need any more (packages, images without a name): the tag `cleanup` of playbooks/maintenance.yml.
# Usage: cleanup.sh ENVIRONMENT [ansible-playbook option …]
set -eu
case ${1:-} in
  --help) sed -n '2,3s/^# //p' "$0"; exit ;;
  '') echo 'cleanup: give production, staging or dev first' >&2; exit 2 ;;
esac
cd "$(dirname "$0")/../../ansible"
[ -d "inventories/$1" ] || { echo "cleanup: there is no environment $1" >&2; exit 2; }
environment=$1
shift
exec ansible-playbook playbooks/maintenance.yml --inventory "inventories/$environment" --tags cleanup "$@"
