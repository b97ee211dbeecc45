"""Hetzner's own Python client drives the local API: argv is its endpoint and a token.

Builds a small environment, looks at it in the ways that the client offers, meets the errors that
it knows, and takes everything down. Prints what it saw as JSON.
"""

import json
import sys

from hcloud import APIException, Client
from hcloud.actions import ActionFailedException
from hcloud.firewalls import FirewallResource, FirewallResourceLabelSelector, FirewallRule
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerHealthCheck,
    LoadBalancerService,
    LoadBalancerTarget,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.networks import NetworkRoute, NetworkSubnet
from hcloud.server_types import ServerType

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEnPzmYtyhDYMCHY4jAFCjuvpAh7fRgEAYs5R13LYxPG"
FALKENSTEIN = Location(name="fsn1")

endpoint, token = sys.argv[1:]
client = Client(token=token, api_endpoint=endpoint, poll_interval=0.02)


def code_of(call):
    """The code of the error that a call must end in."""
    try:
        call()
    except APIException as error:
        return error.code
    raise AssertionError("the call was not refused")


def finish(response):
    """Waits for every action of a creation."""
    for action in [response.action, *(response.next_actions or [])]:
        action.wait_until_finished()


key = client.ssh_keys.create(name="deploy", public_key=PUBLIC_KEY)
network = client.networks.create(
    name="private",
    ip_range="10.0.0.0/16",
    subnets=[NetworkSubnet(type="cloud", network_zone="eu-central", ip_range="10.0.1.0/24")],
)
network.add_route(NetworkRoute("10.100.0.0/16", "10.0.1.9")).wait_until_finished()
firewall = client.firewalls.create(
    name="web",
    rules=[
        FirewallRule("in", "tcp", ["203.0.113.0/24"], port="2222"),
        FirewallRule("out", "tcp", [], destination_ips=["0.0.0.0/0"], port="443"),
    ],
    resources=[
        FirewallResource(
            FirewallResource.TYPE_LABEL_SELECTOR,
            label_selector=FirewallResourceLabelSelector("role=web"),
        )
    ],
).firewall
group = client.placement_groups.create(name="web", type="spread").placement_group
servers = []
for number in (1, 2):
    answer = client.servers.create(
        name=f"web-{number}",
        server_type=ServerType(name="cpx22"),
        image=Image(name="debian-12"),
        location=FALKENSTEIN,
        ssh_keys=[key],
        networks=[network],
        placement_group=group,
        labels={"role": "web"},
    )
    finish(answer)
    servers.append(client.servers.get_by_id(answer.server.id))

volume_answer = client.volumes.create(name="data", size=10, location=FALKENSTEIN, format="ext4")
finish(volume_answer)
volume = volume_answer.volume
volume.attach(servers[0]).wait_until_finished()
volume.resize(20).wait_until_finished()

balancer_answer = client.load_balancers.create(
    name="public",
    load_balancer_type=LoadBalancerType(name="lb11"),
    location=FALKENSTEIN,
    network=network,
    services=[
        LoadBalancerService(
            protocol="http",
            listen_port=80,
            destination_port=8080,
            proxyprotocol=False,
            health_check=LoadBalancerHealthCheck("http", 8080, 5, 3, 2),
        )
    ],
)
balancer_answer.action.wait_until_finished()
balancer = balancer_answer.load_balancer
balancer.add_target(
    LoadBalancerTarget(
        type="label_selector",
        label_selector=LoadBalancerTargetLabelSelector("role=web"),
        use_private_ip=True,
    )
).wait_until_finished()
balancer.reload()

seen = {
    "servers": [server.name for server in client.servers.get_all(label_selector="role=web")],
    "private": [server.private_net[0].ip for server in servers],
    "locations": sorted({server.location.name for server in servers}),
    "firewalls": [item.firewall.name for item in client.servers.get_by_name("web-1").public_net.firewalls],
    "rules": [rule.direction for rule in client.firewalls.get_by_id(firewall.id).rules],
    "volume": client.volumes.get_by_name("data").size,
    "targets": len(balancer.targets[0].targets),
    "routes": [route.destination for route in client.networks.get_by_name("private").routes],
    "orderable": [
        kind.name for kind in client.server_types.get_all() if any(at.available for at in kind.locations)
    ],
    "last_action": client.servers.actions.get_by_id(
        client.servers.actions.get_all(sort=["id:desc"])[0].id
    ).status,
}

servers[0].change_protection(delete=True, rebuild=True).wait_until_finished()
seen["errors"] = {
    "a name twice": code_of(lambda: client.placement_groups.create(name="web", type="spread")),
    "a protected server": code_of(servers[0].delete),
    "a firewall in use": code_of(firewall.delete),
    "an attached volume": code_of(volume.delete),
    "a type of yesterday": code_of(
        lambda: client.servers.create("old", ServerType(name="cpx31"), Image(name="debian-12"))
    ),
    "an unknown server": code_of(lambda: client.servers.get_by_id(1)),
}
servers[0].change_protection(delete=False, rebuild=False).wait_until_finished()

volume.detach().wait_until_finished()
volume.delete()
balancer.delete().action.wait_until_finished()
for server in servers:
    server.delete().wait_until_finished()
for action in firewall.remove_from_resources(
    [
        FirewallResource(
            FirewallResource.TYPE_LABEL_SELECTOR,
            label_selector=FirewallResourceLabelSelector("role=web"),
        )
    ]
):
    action.wait_until_finished()
firewall.delete()
group.delete()
network.delete()
key.delete()

# A list longer than a page, and an action that fails.
for number in range(60):
    client.placement_groups.create(name=f"group-{number}", type="spread")
seen["paged"] = len(client.placement_groups.get_all())
for group in client.placement_groups.get_all():
    group.delete()
answer = client.servers.create(
    "doomed", ServerType(name="cpx22"), Image(name="debian-12"), location=FALKENSTEIN
)
finish(answer)
try:
    answer.server.reboot().wait_until_finished()
except ActionFailedException as error:
    seen["failed"] = error.action.error["message"]
answer.server.delete().wait_until_finished()

seen["left"] = sum(
    len(kind.get_all())
    for kind in (
        client.servers,
        client.volumes,
        client.networks,
        client.firewalls,
        client.load_balancers,
        client.primary_ips,
        client.placement_groups,
        client.ssh_keys,
    )
)
print(json.dumps(seen))
