#!/bin/sh
# Rotates the logs of an environment's servers now: the tag `logs` of playbooks/maintenance.yml.
# Usage: rotate-logs.sh ENVIRONMENT [ansible-playbook option …]
[ "${1:-}" != --help ] || { sed -n '2,3s/^# //p' "$0"; exit; }
exec "$(dirname "$0")/play.sh" logs "$@"
