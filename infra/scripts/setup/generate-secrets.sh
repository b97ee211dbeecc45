#!/usr/bin/env bash
# Fills the vault of an environment: every password and secret that its inventory takes from the vault,
# and that is not there yet, is made from 24 random bytes. What is there stays. Nothing is shown.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: generate-secrets.sh ENVIRONMENT KEY_FILE [NAME=FILE …] [--renew NAME[=FILE] …] [--stand-in FILE]

  ENVIRONMENT  production, staging or dev
  KEY_FILE     the vault's password; made, readable for you alone, if it does not exist
  NAME=FILE    a value that nobody can make up, the one line of a file: vault_slack_webhook_url=webhook.txt
  --renew      another value for NAME: made anew, or the file's; see docs/monitoring.md, Rotating
               secrets, for what has to follow
  --stand-in   the file's line for all that still has to be given: for a trial without accounts elsewhere

Needed are the vault_… names in infra/ansible/inventories/ENVIRONMENT/group_vars. Those that end in
_password or _secret are made up, all others have to be given; those with a default are left out unless
a file is given. Run it again at any time: nothing that is there changes.
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
unset ANSIBLE_VAULT_PASSWORD_FILE ANSIBLE_VAULT_IDENTITY_LIST # the key is the one that is given
umask 077

content=---
if [[ -e $vault ]]; then
  [[ -e $key ]] || fail "$vault exists, but its key $key does not: give the key that it was made with"
  content=$(ansible-vault view --vault-password-file "$key" "$vault") || fail "$key does not open $vault"
fi
needed=$(sed -nE '/\|[[:space:]]*default\(/d; s/.*\{\{[[:space:]]*(vault_[a-z0-9_]+).*/\1/p' "$folder"/*.yml | sort -u)

is_name() { [[ $1 =~ ^vault_[a-z0-9_]+$ ]]; }
has() { is_name "$1" && grep -q "^$1:" <<< "$content"; }
can_be_made() { [[ $1 =~ _(password|secret)$ ]] && grep -qx "$1" <<< "$needed"; }
make() { openssl rand -hex 24; }
quote=\'
line() { printf "%s: '%s'" "$1" "${2//$quote/$quote$quote}"; } # NAME VALUE
read_line() { # FILE WHAT; sets value
  value=$(< "$1")
  [[ -n $value && $value != *[[:cntrl:]]* ]] || fail "$2: $1 has to hold one line of text"
}
read_file() { # NAME=FILE; sets name, file and value
  name=${1%%=*} file=${1#*=}
  { [[ $1 == *=* && -r $file && ! -d $file ]] && is_name "$name"; } ||
    fail "$name is not NAME=FILE with a file that can be read"
  read_line "$file" "$name"
}
changed=() stand_in=
put() { # NAME VALUE; what `ansible-vault edit` wrote over several lines goes as a whole
  content=$(awk -v name="$1:" 'index($0, name) == 1 { own = 1; next } own && /^([ \t]|$)/ { next } { own = 0; print }' <<< "$content")
  content+=$'\n'$(line "$1" "$2")
  changed+=("$1")
}

while [[ $# -gt 0 ]]; do
  if [[ $1 == --renew ]]; then
    name=${2:-} name=${name%%=*}
    has "$name" || fail "--renew $name: the vault has no such value"
    if [[ $2 == *=* ]]; then
      read_file "$2"
    else
      can_be_made "$name" || fail "--renew $name: nobody can make that up, give --renew $name=FILE"
      value=$(make)
    fi
    put "$name" "$value"
    shift 2
    continue
  fi
  if [[ $1 == --stand-in ]]; then
    [[ -f ${2:-} ]] || fail '--stand-in needs a file'
    read_line "$2" --stand-in
    stand_in=$value
    shift 2
    continue
  fi
  read_file "$1"
  if ! has "$name"; then
    put "$name" "$value"
  elif [[ $'\n'$content$'\n' != *$'\n'"$(line "$name" "$value")"$'\n'* ]]; then
    fail "the vault has a value of $name already: --renew $name=$file replaces it"
  fi
  shift
done
missing=()
for name in $needed; do
  if has "$name"; then
    continue
  elif can_be_made "$name"; then
    put "$name" "$(make)"
  elif [[ -n $stand_in ]]; then
    put "$name" "$stand_in"
  else
    missing+=("$name=FILE")
  fi
done
[[ ${#missing[@]} -eq 0 ]] || fail "nobody can make these up, so give the file of each: ${missing[*]}"

if [[ ${#changed[@]} -eq 0 ]]; then
  echo "$vault has everything."
  exit
fi
if [[ ! -e $key ]]; then
  openssl rand -hex 32 > "$key"
  echo "Made the key $key: keep it, and put it into the secret ANSIBLE_VAULT_PASSWORD."
fi
said=$(printf '%s\n' "$content" | ansible-vault encrypt --vault-password-file "$key" --output "$vault.new" - 2>&1) ||
  fail "the vault could not be written: $said"
mv "$vault.new" "$vault"
echo "$vault has ${#changed[@]} new values: ${changed[*]}"
