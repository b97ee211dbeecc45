#!/usr/bin/env bash
# Fills the vault of an environment: every value that its inventory takes from the vault, and that is
# not there yet, is made from 24 random bytes. What is there stays. Nothing is shown.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: generate-secrets.sh ENVIRONMENT KEY_FILE [NAME=FILE …] [--renew NAME …]

  ENVIRONMENT  production, staging or dev
  KEY_FILE     the vault's password; made, readable for you alone, if it does not exist
  NAME=FILE    a value that nobody can make up, out of a file: vault_slack_webhook_url=webhook.txt
  --renew      makes NAME anew; see docs/monitoring.md, Rotating secrets, for what has to follow

Needed are the vault_… names in infra/ansible/inventories/ENVIRONMENT/group_vars; those with a
default are left out unless a file is given. Run it again at any time: nothing that is there changes.
TEXT
}

fail() { echo "generate-secrets: $*" >&2; exit 1; }

[[ ${1:-} != --help ]] || { usage; exit; }
[[ $# -ge 2 ]] || { usage >&2; exit 2; }
environment=$1 key=$2
shift 2
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../ansible/inventories" && pwd)/$environment/group_vars
vault=$folder/all.vault.yml
[[ -d $folder ]] || fail "there is no environment $environment"
command -v ansible-vault >/dev/null || fail 'ansible-vault is missing: install ansible-core'
umask 077

if [[ ! -e $key ]]; then
  [[ ! -e $vault ]] || fail "$vault exists, but its key $key does not: give the key that it was made with"
  openssl rand -hex 32 > "$key"
  echo "Made the key $key: keep it, and put it into the secret ANSIBLE_VAULT_PASSWORD."
fi

content=---
if [[ -e $vault ]]; then
  content=$(ansible-vault view --vault-password-file "$key" "$vault") || fail "$key does not open $vault"
fi
added=()
add() { # NAME VALUE
  [[ $2 != *\'* && $2 != *$'\n'* ]] || fail "the value of $1 has a quote or a second line"
  content+=$'\n'"$1: '$2'"
  added+=("$1")
}
has() { [[ -n $1 ]] && grep -q "^$1:" <<< "$content"; }

while [[ $# -gt 0 ]]; do
  name=${1%%=*} file=${1#*=}
  if [[ $1 == --renew ]]; then
    has "${2:-}" || fail "--renew ${2:-}: the vault has no such value"
    content=$(grep -v "^$2:" <<< "$content")
    add "$2" "$(openssl rand -hex 24)"
    shift 2
    continue
  fi
  [[ $name =~ ^vault_[a-z0-9_]+$ && -r $file ]] || fail "$1 is not NAME=FILE with a file that can be read"
  has "$name" || add "$name" "$(< "$file")"
  shift
done
needed=$(sed -nE '/\|[[:space:]]*default\(/d; s/.*\{\{[[:space:]]*(vault_[a-z0-9_]+).*/\1/p' "$folder"/*.yml | sort -u)
for name in $needed; do
  has "$name" || add "$name" "$(openssl rand -hex 24)"
done

if [[ ${#added[@]} -eq 0 ]]; then
  echo "$vault has everything."
  exit
fi
printf '%s\n' "$content" | ansible-vault encrypt --vault-password-file "$key" --output "$vault.new" - 2>/dev/null
mv "$vault.new" "$vault"
echo "$vault has ${#added[@]} new values: ${added[*]}"
