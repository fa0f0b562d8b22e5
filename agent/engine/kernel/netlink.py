"""Links, addresses and routes of a network namespace: all that no container's start waits for (that: ``rtnetlink.py``).

The messages are few, and made by hand too: a library that knows all of netlink kept 12 to 20 MiB in memory for them,
and took a third of a second to load.

Sources: rtnetlink(7), linux/if_link.h, linux/rtnetlink.h.
"""

import errno
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network

from agent.engine.kernel.rtnetlink import (
    ACK,
    CREATE,
    EXCL,
    IFA_ADDRESS,
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_IFALIAS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINK,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_MTU,
    NESTED,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_OIF,
    RTA_TABLE,
    RTM_DELLINK,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_NEWLINK,
    Address,
    NetlinkError,
    Rtnetlink,
    address_add,
    attr,
    attributes,
    ifinfo,
    mac_bytes,
    message,
    text,
    u32,
)

_BR_FORWARD_DELAY = _VLAN_ID = 1


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
        more = attr(IFLA_ADDRESS, mac_bytes(mac)) + attr(IFLA_MTU, u32(mtu))
        self._add(name, "bridge", attr(_BR_FORWARD_DELAY, u32(0)), more)

    def add_vlan(self, name: str, parent: str, number: int) -> None:
        """An 802.1Q link on top of a parent's."""
        more = attr(IFLA_LINK, u32(socket.if_nametoindex(parent)))
        self._add(name, "vlan", attr(_VLAN_ID, struct.pack("=H", number)), more)

    def add_dummy(self, name: str) -> None:
        """A link that leads nowhere; where the kernel has no such kind, a bridge without ports, which does the same."""
        try:
            self._add(name, "dummy")
        except NetlinkError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            self._add(name, "bridge", attr(_BR_FORWARD_DELAY, u32(0)))

    def set_up(self, name: str, alias: str, addresses: Iterable[tuple[Address, int]]) -> None:
        """Raise a link.

        Args:
            alias: written on it, to say whose it is; empty: left as it is.
            addresses: with their prefix lengths; IPv6 ones without duplicate detection, since the plan is ours.
        """
        index = socket.if_nametoindex(name)
        body = ifinfo(index, IFF_UP, IFF_UP) + (attr(IFLA_IFALIAS, alias.encode()) if alias else b"")
        self._route.talk(message(RTM_NEWLINK, ACK, body))
        for address, prefix in addresses:
            self._route.talk(address_add(index, address, prefix))

    def delete_own(self, name: str, alias: str) -> None:
        """Take a link away if it bears this alias; any other stays."""
        if any(link.name == name and link.alias == alias for link in self.all()):
            self.delete(name)

    def delete(self, name: str) -> None:
        """Take a link away. Idempotent: the kernel may be doing it by itself, its namespace being gone."""
        try:
            self._route.talk(message(RTM_DELLINK, ACK, ifinfo(socket.if_nametoindex(name))))
        except OSError:
            if name in (known for _, known in socket.if_nameindex()):
                raise

    def _add(self, name: str, kind: str, data: bytes = b"", more: bytes = b"") -> None:
        info = attr(IFLA_INFO_KIND, kind.encode())
        if data:
            info += attr(IFLA_INFO_DATA | NESTED, data)
        body = ifinfo() + attr(IFLA_IFNAME, text(name)) + more + attr(IFLA_LINKINFO | NESTED, info)
        self._route.talk(message(RTM_NEWLINK, ACK | CREATE | EXCL, body))


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
