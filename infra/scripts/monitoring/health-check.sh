#!/bin/sh
# Says whether COMPTA is well: `compta status`, and the public address if one is given. Exits with 1
# when a server cannot be asked, lacks a release, a service of it or a healthy slot, is out of rotation, or a
# release ended half-way.
# Usage: health-check.sh OUTPUTS.json --private-key FILE [--base-url URL]
set -eu
[ "${1:-}" != --help ] || { sed -n '2,5s/^# //p' "$0"; exit; }
outputs=${1:?"give the file of terraform output -json first"}
[ -r "$outputs" ] || { echo "$outputs cannot be read: give the file of terraform output -json first" >&2; exit 2; }
shift
root=$(cd "$(dirname "$0")/../../.." && pwd)
url=
for word; do
  shift
  case $word,$url in
    --base-url,) url=next ;;
    *,next) url=$word ;;
    *) set -- "$@" "$word" ;;
  esac
done
[ "$url" != next ] || { echo 'give a URL after --base-url' >&2; exit 2; }
compta() { node "$root/cli/dist/main/index.js" status --terraform-outputs "$outputs" "$@"; }
compta "$@"
problems=$(compta "$@" --json | jq --raw-output '
  .[] | . as $host
  | ([.slots[].service] | unique) as $services
  | (if .release == "" then "\(.host): no release" else empty end),
    (if .unfinished != "" then "\(.host): a release ended half-way: \(.unfinished)" else empty end),
    (if .outOfRotation == true then "\(.host): out of rotation; see compta converge" else empty end),
    (.missing[] | "\($host.host): \(.) does not run"),
    ($services[] | . as $service
      | select(any($host.slots[]; .service == $service and .health == "healthy") | not)
      | "\($host.host): \($service) has no healthy slot")')
if [ -n "$url" ] && ! curl --fail --silent --show-error --max-time 10 --output /dev/null "$url/healthz"; then
  problems="$problems
$url/healthz does not answer 200"
fi
[ -z "$problems" ] || { echo "$problems" >&2; exit 1; }
echo 'Everything is well.'
