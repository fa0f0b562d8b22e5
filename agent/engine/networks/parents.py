"""The host's link below a macvlan or ipvlan network: found, or made and removed by us. Called in worker threads.

Ours are a VLAN of another link (``eth0.10``), and a link that leads nowhere where the client named no parent. They bear
the engine's name as their alias, so that they are known again; a link that was there before is never touched.
"""

import errno
import socket
from collections.abc import Iterable

from agent.engine.errors import System
from agent.engine.kernel.netlink import Links
from agent.engine.networks import options
from agent.engine.networks.options import ParentOptions
from agent.engine.networks.sandbox import Child
from agent.engine.state.records import NetworkRecord


def read(record: NetworkRecord) -> ParentOptions:
    """The options of a network that is there."""
    return options.read_parent(record.id, record.driver, record.options)


def child(record: NetworkRecord) -> Child:
    """How containers of this network are tied to it."""
    found = read(record)
    if record.driver == "macvlan":
        return Child(record.driver, found.parent, options.MACVLAN_MODES[found.mode])
    return Child(record.driver, found.parent, options.IPVLAN_MODES[found.mode], options.IPVLAN_FLAGS[found.flag])


def check_rivals(record: NetworkRecord, others: Iterable[NetworkRecord]) -> None:
    """Who else uses the parent.

    Raises:
        System: one of the two wants it alone, or they are of different drivers; in dockerd's words where it has some.
    """
    mine = read(record)
    for other in others:
        if other.driver not in options.ON_PARENT or other.id == record.id:
            continue
        theirs = read(other)
        if theirs.parent != mine.parent:
            continue
        if mine.alone:
            raise System(
                f"cannot use mode passthru, macvlan network {other.id} is already using parent interface {mine.parent}"
            )
        if theirs.alone:
            raise System(f"macvlan network {other.id} is already using parent interface {mine.parent} in mode passthru")
        if record.driver != other.driver or record.driver == "ipvlan":
            # The kernel lets one parent have children of one driver only.
            raise System(f"network dm-{other.id[:12]} is already using parent interface {mine.parent}")


def ensure(record: NetworkRecord, owner: str) -> None:
    """Make the parent where it is not there.

    Args:
        owner: written on a link of ours as its alias.

    Raises:
        System: it is not there and cannot be made.
    """
    found = read(record)
    if _there(found.parent):
        return
    with Links() as links:
        try:
            if found.own:
                links.add_dummy(found.parent)
            else:
                _add_vlan(links, found.parent)
            links.set_up(found.parent, owner, [])
        except OSError as error:
            links.delete(found.parent)
            raise System(
                f"parent link {found.parent} of network {record.name} cannot be set up: {error.strerror}"
            ) from error


def _add_vlan(links: Links, name: str) -> None:
    parent, number = options.split_vlan(name)
    if not _there(parent):
        raise System(f"-o parent interface was not found on the host: {parent}")
    try:
        links.add_vlan(name, parent, number)
    except OSError as error:
        words = "operation not supported" if error.errno == errno.EOPNOTSUPP else str(error.strerror)
        raise System(f"failed to create {name} vlan link: {words}") from error


def remove(record: NetworkRecord, owner: str, others: Iterable[NetworkRecord]) -> None:
    """Take the parent away if it is ours and nobody else's."""
    name = read(record).parent
    shared = any(
        other.driver in options.ON_PARENT and other.id != record.id and read(other).parent == name for other in others
    )
    if shared or not _there(name):
        return
    with Links() as links:
        links.delete_own(name, owner)


def _there(name: str) -> bool:
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True
