#!/bin/sh
# Proves the newest backups by restoring them: playbooks/restore-drill.yml, as a person runs it.
# Usage: verify-backup.sh ENVIRONMENT IDENTITY_FILE [options of ansible-playbook]
#   --extra-vars restore_drill_moment=random   brings the cluster to a moment as well
set -eu
environment=${1:?"give the environment first: staging or production"}
identity=${2:?"give the file that has an age identity"}
shift 2
[ -r "$identity" ] || { echo "$identity cannot be read" >&2; exit 1; }
identity=$(cd "$(dirname "$identity")" && pwd)/$(basename "$identity")
cd "$(dirname "$0")/../../ansible"
exec ansible-playbook --inventory "inventories/$environment" playbooks/restore-drill.yml \
    --extra-vars "{\"backup_identity_file\": \"$identity\", \"restore_drill_moment\": \"\"}" "$@"
