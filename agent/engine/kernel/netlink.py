"""Links, addresses and routes by pyroute2: all that no container's start waits for (that part: ``rtnetlink.py``).

The only module that imports pyroute2, and only when first needed. An engine has it once it has looked for a free subnet
or made or found a bridge of its own. Measured: idle after one container 51 MiB PSS, 39 without pyroute2; started where
a bridge of its own is 46 MiB after 0.7 s, where none is 35 after 0.4.

An ``IPRoute`` is an asyncio loop inside, with several descriptors: it cannot be opened where a loop runs, so only
worker threads come here, and they open it for one piece of work (2 ms with a dump) instead of each keeping one. It
speaks for the network namespace that the thread is in when it opens it.

Sources: rtnetlink(7), https://docs.pyroute2.org/iproute.html
"""

import errno
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from typing import Any

from agent.engine.kernel.rtnetlink import IFA_F_NODAD, RT_TABLE_MAIN, Address, NetlinkError


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
        import pyroute2

        self._refusal = pyroute2.NetlinkError
        self._route = pyroute2.IPRoute()

    def __enter__(self) -> "Links":
        return self

    def __exit__(self, *_: object) -> None:
        self._route.close()

    def all(self) -> list[Link]:
        """Every link."""
        return [
            Link(
                index=one["index"],
                name=one.get("ifname"),
                kind=one.get(("linkinfo", "kind")) or "",
                master=one.get("master") or 0,
                mac=one.get("address") or "",
                alias=one.get("ifalias") or "",
            )
            for one in self._ask("link", "dump")
        ]

    def networks(self, without: str = "") -> list[str]:
        """Subnets that the namespace reaches by a route or an address, default routes left out.

        Args:
            without: a link that does not count.
        """
        skipped = next((index for index, name in socket.if_nameindex() if name == without), None)
        found = {
            str(ip_network((one.get("dst"), one["dst_len"])))
            for family in (socket.AF_INET, socket.AF_INET6)
            for one in self._ask("route", "dump", family=family, table=RT_TABLE_MAIN)
            if one["dst_len"] and (skipped is None or one.get("oif") != skipped)
        }
        for one in self._ask("addr", "dump"):
            if one["index"] != skipped:
                found.add(str(ip_interface((one.get("address"), one["prefixlen"])).network))
        return sorted(found)

    def add_bridge(self, name: str, mac: str, mtu: int) -> None:
        """A bridge without forward delay: nothing loops here, and a container shall not wait for it."""
        self._ask("link", "add", ifname=name, kind="bridge", address=mac, mtu=mtu, br_forward_delay=0)

    def add_vlan(self, name: str, parent: str, number: int) -> None:
        """An 802.1Q link on top of a parent's."""
        self._ask("link", "add", ifname=name, kind="vlan", link=socket.if_nametoindex(parent), vlan_id=number)

    def add_dummy(self, name: str) -> None:
        """A link that leads nowhere; where the kernel has no such kind, a bridge without ports, which does the same."""
        try:
            self._ask("link", "add", ifname=name, kind="dummy")
        except NetlinkError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            self._ask("link", "add", ifname=name, kind="bridge", br_forward_delay=0)

    def set_up(self, name: str, alias: str, addresses: Iterable[tuple[Address, int]]) -> None:
        """Raise a link.

        Args:
            alias: written on it, to say whose it is; empty: left as it is.
            addresses: with their prefix lengths; IPv6 ones without duplicate detection, since the plan is ours.
        """
        index = socket.if_nametoindex(name)
        self._ask("link", "set", index=index, state="up", **({"ifalias": alias} if alias else {}))
        for address, prefix in addresses:
            more = {"flags": IFA_F_NODAD} if address.version == 6 else {"broadcast": True}
            self._ask("addr", "replace", index=index, address=str(address), prefixlen=prefix, **more)

    def delete_own(self, name: str, alias: str) -> None:
        """Take a link away if it bears this alias; any other stays."""
        if any(link.name == name and link.alias == alias for link in self.all()):
            self.delete(name)

    def delete(self, name: str) -> None:
        """Take a link away. Idempotent: the kernel may be doing it by itself, its namespace being gone."""
        try:
            self._ask("link", "del", index=socket.if_nametoindex(name))
        except OSError:
            if name in (known for _, known in socket.if_nameindex()):
                raise

    def _ask(self, noun: str, command: str, **attributes: object) -> list[Any]:
        try:
            return list(getattr(self._route, noun)(command, **attributes))
        except self._refusal as error:
            raise NetlinkError(error.code, os.strerror(error.code)) from error
