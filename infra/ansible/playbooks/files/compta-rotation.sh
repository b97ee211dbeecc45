#!/bin/sh
# At boot, before Docker: this server may have missed a release while it was down. As long as another
# server serves, it stays out of the load balancer's rotation until `compta converge` or the next
# release has brought it to the current one. When nobody serves, what it has is better than nothing.
#
# usage: compta-rotation.sh STATE_FOLDER PEER_ADDRESS...
set -eu
mark=$1/out-of-rotation
shift
[ -d "${mark%/*}" ] || exit 0
for _ in 1 2 3; do
  for peer; do
    if curl --fail --silent --output /dev/null --max-time 3 "http://$peer/healthz"; then
      touch "$mark"
      echo "$peer serves: out of rotation until it is certain that this server serves the same"
      exit 0
    fi
  done
  [ $# -eq 0 ] || sleep 2
done
rm -f "$mark"
echo "no other server serves: in rotation"
