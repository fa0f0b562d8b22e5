"""Links, addresses and routes of a network namespace: all that no container's start waits for (that: ``rtnetlink.py``).

Links are made by pyroute2, in a process of its own (``linking.py``). What each engine asks at its start and for each
free subnet, and a link's removal, goes by messages made by hand, so an engine that finds its bridges as they were never
starts that process. Changes wait for the kernel, so only worker threads come here.

Sources: rtnetlink(7), linux/if_link.h, linux/rtnetlink.h
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network

from agent.engine.kernel.linking import Linker
from agent.engine.kernel.rtnetlink import (
    IFA_ADDRESS,
    IFLA_ADDRESS,
    IFLA_IFALIAS,
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MASTER,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_OIF,
    RTA_TABLE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    Address,
    NetlinkError,
    Rtnetlink,
    address_add,
    attributes,
    ifinfo,
    link_delete,
    link_up,
)

_linker = Linker()


@dataclass(frozen=True, slots=True)
class Link:
    """A link as the kernel lists it."""

    index: int
    name: str
    kind: str = ""
    master: int = 0
    mac: str = ""
    alias: str = ""


class Links:
    """The links of the calling thread's network namespace, as long as the ``with`` block lasts.

    Every method raises ``NetlinkError``, an OSError, when the kernel refuses.
    """

    def __init__(self) -> None:
        self._route = Rtnetlink()

    def __enter__(self) -> "Links":
        return self

    def __exit__(self, *_: object) -> None:
        self._route.close()

    def all(self) -> list[Link]:
        """Every link."""
        return [_link(body) for body in self._route.dump(RTM_GETLINK, ifinfo())]

    def networks(self, without: str = "") -> list[str]:
        """Subnets that the namespace reaches by a route or an address, default routes left out.

        Args:
            without: a link that does not count.
        """
        skipped = next((index for index, name in socket.if_nameindex() if name == without), None)
        found = set()
        for family in (socket.AF_INET, socket.AF_INET6):
            for body in self._route.dump(RTM_GETROUTE, struct.pack("=B11x", family)):
                length, table = body[1], body[4]
                fields = attributes(body[12:])
                oif = _number(fields.get(RTA_OIF))
                if RTA_TABLE in fields:
                    table = _number(fields[RTA_TABLE]) or 0
                if length and RTA_DST in fields and table == RT_TABLE_MAIN and (skipped is None or oif != skipped):
                    found.add(str(ip_network((fields[RTA_DST], length))))
        for body in self._route.dump(RTM_GETADDR, struct.pack("=BBBBi", 0, 0, 0, 0, 0)):
            _, prefix, _, _, index = struct.unpack_from("=BBBBi", body)
            address = attributes(body[8:]).get(IFA_ADDRESS)
            if index != skipped and address is not None:
                found.add(str(ip_interface((ip_address(address), prefix)).network))
        return sorted(found)

    def add_bridge(self, name: str, mac: str, mtu: int) -> None:
        """A bridge without forward delay: nothing loops here, and a container shall not wait for it."""
        _change("link", "add", ifname=name, kind="bridge", address=mac, mtu=mtu, br_forward_delay=0)

    def add_vlan(self, name: str, parent: str, number: int) -> None:
        """An 802.1Q link on top of a parent's."""
        _change("link", "add", ifname=name, kind="vlan", link=socket.if_nametoindex(parent), vlan_id=number)

    def add_dummy(self, name: str) -> None:
        """A link that leads nowhere; where the kernel has no such kind, a bridge without ports, which does the same."""
        try:
            _change("link", "add", ifname=name, kind="dummy")
        except NetlinkError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            _change("link", "add", ifname=name, kind="bridge", br_forward_delay=0)

    def set_up(self, name: str, alias: str, addresses: Iterable[tuple[Address, int]]) -> None:
        """Raise a link.

        Args:
            alias: written on it, to say whose it is; empty: left as it is.
            addresses: with their prefix lengths; IPv6 ones without duplicate detection, since the plan is ours.
        """
        index = socket.if_nametoindex(name)
        if alias:
            _change("link", "set", index=index, state="up", ifalias=alias)
        self._route.talk(link_up(index), *(address_add(index, address, prefix) for address, prefix in addresses))

    def delete_own(self, name: str, alias: str) -> None:
        """Take a link away if it bears this alias; any other stays."""
        if any(link.name == name and link.alias == alias for link in self.all()):
            self.delete(name)

    def delete(self, name: str) -> None:
        """Take a link away. Idempotent: the kernel may be doing it by itself, its namespace being gone."""
        try:
            self._route.talk(link_delete(socket.if_nametoindex(name)))
        except OSError:
            if name in (known for _, known in socket.if_nameindex()):
                raise


def _change(noun: str, command: str, **attributes: object) -> None:
    if refused := _linker.change(noun, command, **attributes):
        raise NetlinkError(refused, os.strerror(refused))


def _link(body: bytes) -> Link:
    fields = attributes(body[16:])
    kind = attributes(fields.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_KIND, b"")
    return Link(
        index=int(struct.unpack_from("=BxHi", body)[2]),
        name=_words(fields.get(IFLA_IFNAME, b"")),
        kind=_words(kind),
        master=_number(fields.get(IFLA_MASTER)) or 0,
        mac=fields.get(IFLA_ADDRESS, b"").hex(":"),
        alias=_words(fields.get(IFLA_IFALIAS, b"")),
    )


def _words(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="replace")


def _number(raw: bytes | None) -> int | None:
    return int(struct.unpack("=I", raw)[0]) if raw is not None else None
