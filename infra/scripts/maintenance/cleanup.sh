#!/bin/sh
# Removes what an environment's servers do not need any more (packages, what builds left): the tag `cleanup` of playbooks/maintenance.yml.
# Usage: cleanup.sh ENVIRONMENT [ansible-playbook option …]
[ "${1:-}" != --help ] || { sed -n '2,3s/^# //p' "$0"; exit; }
exec "$(dirname "$0")/play.sh" cleanup "$@"
