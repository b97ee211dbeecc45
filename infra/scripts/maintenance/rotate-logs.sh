#!/bin/sh
# Rotates the logs of an environment's servers now: the tag `logs` of playbooks/maintenance.yml.
# Usage: rotate-logs.sh ENVIRONMENT [ansible-playbook option …]
set -eu
case ${1:-} in
  --help) sed -n '2,3s/^# //p' "$0"; exit ;;
  '') echo 'rotate-logs: give production, staging or dev first' >&2; exit 2 ;;
esac
cd "$(dirname "$0")/../../ansible"
[ -d "inventories/$1" ] || { echo "rotate-logs: there is no environment $1" >&2; exit 2; }
environment=$1
shift
exec ansible-playbook playbooks/maintenance.yml --inventory "inventories/$environment" --tags logs "$@"
