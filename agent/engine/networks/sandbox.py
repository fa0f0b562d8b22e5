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
from agent.engine.kernel.rtnetlink import Rtnetlink
from agent.engine.networks.bridge import sysctl
from agent.engine.networks.endpoint import Endpoint, default_way

LOOPBACK = 1


@dataclass(frozen=True, slots=True)
class Port:
    """A pair of links, ours in a bridge."""

    bridge: str
    mtu: int
    isolated: bool
    """No talk with other containers of the bridge."""


@dataclass(frozen=True, slots=True)
class Child:
    """One link on top of a parent's: macvlan or ipvlan."""

    driver: str
    parent: str
    mode: int
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Wire:
    """One link to be made."""

    endpoint: Endpoint
    tie: Port | Child


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


def build(home: Home, path: Path, wires: Sequence[Wire], *, there: bool = False) -> None:
    """Make the namespace, its loopback, and a link for each wire. Nothing is left when it fails.

    Args:
        home: of this thread.
        path: where the namespace is bound.
        wires: the links.
        there: the namespace has been made.

    Raises:
        System: the kernel refused.
    """
    endpoints = [wire.endpoint for wire in wires]
    with home.fresh(path, there=there), _speaking(path) as (inside, descriptor):
        failpoint("start.namespace")
        six = any(one.of_version(6) for one in endpoints)
        if six:
            _prepare_ipv6()
        else:
            sysctl("ipv6/conf/all/disable_ipv6", "1")
        inside.talk(rtnetlink.link_up(LOOPBACK))
        for wire in wires:
            _plug(home, inside, descriptor, wire)
        _route(inside, endpoints)


def plug(home: Home, path: Path, wire: Wire, endpoints: Sequence[Endpoint]) -> None:
    """Add a link to a namespace in use.

    Args:
        endpoints: all of the container, with the new one: the default route is chosen anew.

    Raises:
        System: the kernel refused.
    """
    with home.inside(path), _speaking(path) as (inside, descriptor):
        if wire.endpoint.of_version(6):
            _prepare_ipv6()
        _plug(home, inside, descriptor, wire)
        _route(inside, endpoints)


def names_inside(home: Home, path: Path) -> dict[str, str]:
    """Links of a container by MAC, for endpoints that are rebuilt."""
    with home.inside(path), Links() as links:
        return {link.mac: link.name for link in links.all()}


def unplug(home: Home, path: Path, end: Endpoint, remaining: Sequence[Endpoint]) -> None:
    """Take a link out of a namespace in use; one that is gone is fine.

    Raises:
        System: the kernel refused.
    """
    with _refusals(path):
        if end.bridged:
            with Links() as links:
                links.delete(end.veth)
        with home.inside(path):
            if not end.bridged and end.ifname:
                with Links() as links:
                    links.delete(end.ifname)
            with Rtnetlink() as inside:
                _route(inside, remaining)


def _prepare_ipv6() -> None:
    """For links to come: no router is believed, and addresses are good at once, since the plan is ours."""
    sysctl("ipv6/conf/all/disable_ipv6", "0")
    sysctl("ipv6/conf/default/accept_ra", "0")
    sysctl("ipv6/conf/default/accept_dad", "0")


def _plug(home: Home, inside: Rtnetlink, descriptor: int, wire: Wire) -> None:
    """The thread is inside, so names mean links there; ``home.rtnetlink`` still speaks for home."""
    end, tie = wire.endpoint, wire.tie
    if isinstance(tie, Port):
        master = home.rtnetlink.index_of(tie.bridge)
        home.rtnetlink.talk(rtnetlink.veth_add(end.veth, master, tie.mtu, end.ifname, end.mac, descriptor))
    else:
        _add_child(home, descriptor, end, tie)
    index = socket.if_nametoindex(end.ifname)
    inside.talk(
        rtnetlink.link_up(index),
        *(rtnetlink.address_add(index, address, prefix) for address, prefix in end.configured()),
    )
    for name, value in end.sysctls():
        sysctl(name, value)
    if isinstance(tie, Port):
        port = home.rtnetlink.index_of(end.veth)
        home.rtnetlink.talk(
            rtnetlink.bridge_port(port, hairpin=True, isolated=tie.isolated), rtnetlink.forwarding_entry(port, end.mac)
        )


def _add_child(home: Home, descriptor: int, end: Endpoint, tie: Child) -> None:
    parent = home.rtnetlink.index_of(tie.parent)
    try:
        if tie.driver == "macvlan":
            home.rtnetlink.talk(rtnetlink.macvlan_add(parent, tie.mode, end.ifname, end.mac, descriptor))
        else:
            home.rtnetlink.talk(rtnetlink.ipvlan_add(parent, tie.mode, tie.flags, end.ifname, descriptor))
    except OSError as error:
        raise System(f"failed to create the {tie.driver} port: {error.strerror}") from error


def _route(inside: Rtnetlink, endpoints: Sequence[Endpoint]) -> None:
    """The default routes, chosen anew."""
    for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        chosen = default_way(endpoints, version)
        if chosen is not None:
            gateway = chosen.gateway(version)
            inside.talk(rtnetlink.default_route(gateway, socket.if_nametoindex(chosen.ifname), family))
