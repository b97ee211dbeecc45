#!/usr/bin/env bash
# metadata.sh UNIT: who reaches 169.254.169.254 before and after the commands of the systemd unit UNIT,
# on a server (this namespace) with a network that has the address, and with a container behind it.
# Prints lines of "when who HTTP-status"; 000 is no answer.
set -euo pipefail
if [ "${2-}" != inside ]; then
  exec unshare --mount --net --pid --fork --kill-child "$0" "$1" inside
fi

mount --make-rprivate /
mount -t proc proc /proc
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip link set lo up
for other in cloud container; do
  ip netns add "$other"
  ip link add "to-$other" type veth peer name eth0 netns "$other"
  ip link set "to-$other" up
  ip -n "$other" link set lo up
  ip -n "$other" link set eth0 up
done
ip address add 192.168.77.1/24 dev to-cloud
ip -n cloud address add 192.168.77.2/24 dev eth0
ip -n cloud address add 169.254.169.254/32 dev lo
ip -n cloud route add 192.168.78.0/24 via 192.168.77.1
ip route add default via 192.168.77.2
ip address add 192.168.78.1/24 dev to-container
ip -n container address add 192.168.78.2/24 dev eth0
ip -n container route add default via 192.168.78.1
echo 1 >/proc/sys/net/ipv4/ip_forward

page=$(mktemp --directory)
ip netns exec cloud python3 -m http.server 80 --directory "$page" >/dev/null 2>&1 &
trap 'kill $!; rmdir "$page"' EXIT

status() {
  local address=$1
  shift
  "$@" curl --silent --output /dev/null --max-time 3 --write-out '%{http_code}' "http://$address/" || true
}
report() {
  echo "$1 root $(status 169.254.169.254)"
  echo "$1 user $(status 169.254.169.254 setpriv --reuid 65534 --clear-groups)"
  echo "$1 container $(status 169.254.169.254 ip netns exec container)"
}

for _ in $(seq 100); do
  [ "$(status 192.168.77.2)" = 200 ] && break
  sleep 0.1
done
report before
sed -n 's/^ExecStart=//p' "$1" | while read -r -a command; do "${command[@]}"; done
report after
echo "elsewhere user $(status 192.168.77.2 setpriv --reuid 65534 --clear-groups)"
echo "elsewhere container $(status 192.168.77.2 ip netns exec container)"
sed -n 's/^ExecStop=//p' "$1" | while read -r -a command; do "${command[@]}"; done
report undone
