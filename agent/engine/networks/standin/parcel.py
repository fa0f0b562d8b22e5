"""A sandbox as it goes to the stand-in and comes back: JSON and sockets."""

import json
import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from agent.engine.networks.endpoint import Assigned, Endpoint
from agent.engine.networks.ipam import Plan
from agent.engine.networks.live import LiveSandbox, Target
from agent.engine.networks.ports import Binding, PortRequest

VERSION = 1
"""Of this form. What another one holds is let go, and made anew."""

Json = dict[str, Any]


def pack(one: LiveSandbox, name: str) -> tuple[bytes, list[int]]:
    """The message, and descriptors: of ports, then of the resolver."""
    ports = [binding for binding in one.bindings if binding.socket is not None]
    descriptors = [binding.socket.fileno() for binding in ports if binding.socket is not None]
    if one.resolver is not None:
        descriptors += [made.fileno() for made in one.resolver.sockets]
    target = one.target
    message: Json = {
        "version": VERSION,
        "id": one.container_id,
        "name": name,
        "hostname": one.hostname,
        "path": str(one.path),
        "endpoints": [_endpoint(end) for end in one.endpoints.values()],
        "target": target and (dict(target.addresses), sorted(target.routed), target.binding),
        "ports": [
            [one.request.protocol, one.request.container_port, one.host_ip, one.host_port] for one in ports
        ],
        "resolver": one.resolver is not None,
        "servers": list(one.servers),
        "dns": list(one.dns),
    }  # fmt: skip
    return json.dumps(message).encode(), descriptors


def unpack(told: bytes, descriptors: Sequence[int]) -> tuple[LiveSandbox, list[socket.socket]]:
    """The sandbox, and its resolver's sockets; none: it has no resolver.

    Raises:
        ValueError: another version has packed it.
    """
    message = json.loads(told)
    if message.get("version") != VERSION:
        raise ValueError("of another version")
    made = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    one = LiveSandbox(message["id"], message["name"], message["hostname"], Path(message["path"]))
    one.endpoints = {end.network: end for end in map(_rebuilt, message["endpoints"])}
    if message["target"]:
        addresses, routed, binding = message["target"]
        one.target = Target({int(version): text for version, text in addresses.items()}, frozenset(routed), binding)
    one.bindings = list(_bindings(message["ports"], made))
    one.servers, one.dns = tuple(message["servers"]), tuple(message["dns"])
    return one, made[len(one.bindings) :]


def _endpoint(end: Endpoint) -> Json:
    return {
        "network_id": end.network_id,
        "network": end.network,
        "driver": end.driver,
        "config": {"Links": end.config.get("Links")},
        "aliases": end.aliases,
        "internal": end.internal,
        "addresses": [str(one.address) for one in end.addresses],
    }


def _rebuilt(found: Json) -> Endpoint:
    addresses = []
    for text in found.pop("addresses"):
        address = ip_address(text)
        subnet = ip_network(text)
        addresses.append(Assigned(address, Plan(subnet, address, subnet)))
    return Endpoint(**(found | {"aliases": tuple(found["aliases"])}), addresses=tuple(addresses))


def _bindings(ports: Sequence[Sequence[Any]], made: Sequence[socket.socket]) -> Iterator[Binding]:
    for (protocol, container_port, host_ip, host_port), bound in zip(ports, made, strict=False):
        request = PortRequest(protocol, container_port, host_ip, host_port, host_port)
        yield Binding(request, host_ip, host_port, bound)
