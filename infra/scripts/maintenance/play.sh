#!/bin/sh
# Plays one tag of playbooks/maintenance.yml on an environment; what rotate-logs.sh and cleanup.sh are doors to.
# Usage: play.sh TAG ENVIRONMENT [ansible-playbook option …]
set -eu
[ "${1:-}" != --help ] || { sed -n '2,3s/^# //p' "$0"; exit; }
tag=${1:?"give the tag first: logs or cleanup"}
environment=${2:?"give the environment: production, staging or dev"}
shift 2
cd "$(dirname "$0")/../../ansible"
[ -d "inventories/$environment" ] || { echo "there is no environment $environment" >&2; exit 2; }
exec ansible-playbook playbooks/maintenance.yml --inventory "inventories/$environment" --tags "$tag" "$@"
