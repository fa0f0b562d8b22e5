"""The network namespace of a container: made with its links in one pass of one worker thread (about 2 ms)."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import System
from agent.engine.kernel import rtnetlink
from agent.engine.kernel.failpoints import failpoint
from agent.engine.kernel.netlink import Links
from agent.engine.kernel.networkers import OWN, Home
from agent.engine.kernel.rtnetlink import Address, Rtnetlink
from agent.engine.networks.bridge import sysctl
from agent.engine.networks.endpoint import Endpoint, gateway

LOOPBACK = 1


@dataclass(frozen=True, slots=True)
class Wire:
    """One link to be made."""

    endpoint: Endpoint
    bridge: str
    mtu: int
    isolated: bool
    """No talk with other containers of the bridge."""


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise System(f"the network of {path.name} cannot be set up: {error}") from error


@contextmanager
def _speaking(path: Path) -> Iterator[tuple[Rtnetlink, int]]:
    """An rtnetlink socket of the namespace that the thread is in, and a descriptor of it."""
    descriptor = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _refusals(path), Rtnetlink() as inside:
            yield inside, descriptor
    finally:
        os.close(descriptor)


def build(home: Home, path: Path, wires: Sequence[Wire]) -> None:
    """Make the namespace, its loopback, and a link for each wire. Nothing is left when it fails.

    Raises:
        System: the kernel refused.
    """
    endpoints = [wire.endpoint for wire in wires]
    with home.fresh(path), _speaking(path) as (inside, descriptor):
        failpoint("start.namespace")
        sysctl("ipv6/conf/all/disable_ipv6", "0" if gateway(endpoints, 6) else "1")
        if gateway(endpoints, 6):
            sysctl("ipv6/conf/default/accept_ra", "0")
        inside.talk(rtnetlink.link_up(LOOPBACK))
        for wire in wires:
            _plug(home, inside, descriptor, wire)
        for gate, ifname in _gates(endpoints):
            inside.talk(rtnetlink.default_route(gate, socket.if_nametoindex(ifname)))


def plug(home: Home, path: Path, wire: Wire, endpoints: Sequence[Endpoint]) -> None:
    """Add a link to a namespace in use.

    Args:
        endpoints: all of the container, with the new one: the default route is chosen anew.

    Raises:
        System: the kernel refused.
    """
    with home.inside(path), _speaking(path) as (inside, descriptor):
        if wire.endpoint.of_version(6):
            sysctl("ipv6/conf/all/disable_ipv6", "0")
            sysctl("ipv6/conf/default/accept_ra", "0")
        _plug(home, inside, descriptor, wire)
        _route_anew(endpoints)


def names_inside(home: Home, path: Path) -> dict[str, str]:
    """Links of a container by MAC, for endpoints that are rebuilt."""
    with home.inside(path), Links() as links:
        return {link.mac: link.name for link in links.all()}


def unplug(home: Home, path: Path, veth: str, remaining: Sequence[Endpoint]) -> None:
    """Take a link out of a namespace in use; one that is gone is fine."""
    with _refusals(path):
        with Links() as links:
            links.delete(veth)
        with home.inside(path):
            _route_anew(remaining)


def _plug(home: Home, inside: Rtnetlink, descriptor: int, wire: Wire) -> None:
    """The thread is inside, so names mean links there; ``home.rtnetlink`` still speaks for home."""
    end = wire.endpoint
    home.rtnetlink.talk(
        rtnetlink.veth_add(end.veth, home.rtnetlink.index_of(wire.bridge), wire.mtu, end.ifname, end.mac, descriptor)
    )
    index = socket.if_nametoindex(end.ifname)
    inside.talk(
        rtnetlink.link_up(index),
        *(rtnetlink.address_add(index, one.address, one.plan.subnet.prefixlen) for one in end.addresses),
    )
    port = home.rtnetlink.index_of(end.veth)
    home.rtnetlink.talk(
        rtnetlink.bridge_port(port, hairpin=True, isolated=wire.isolated), rtnetlink.forwarding_entry(port, end.mac)
    )


def _route_anew(endpoints: Sequence[Endpoint]) -> None:
    with Links() as links:
        for gate, ifname in _gates(endpoints):
            links.default_route(gate, ifname)


def _gates(endpoints: Sequence[Endpoint]) -> Iterator[tuple[Address, str]]:
    """Where the default routes lead, and by which link."""
    for version in (4, 6):
        chosen = gateway(endpoints, version)
        if chosen is not None:
            owner = next(one for one in endpoints if chosen in one.addresses)
            yield chosen.plan.gateway, owner.ifname
