"""The messages of a container's start, made by hand: its link, addresses, route and port of the bridge.

One attach takes 1.7 ms with these; everything that no start waits for goes by ``netlink.py``.
A socket speaks for the network namespace of the thread that opened it, for ever: that is how a worker thread configures
a container's namespace after it has gone home (``networkers.py``).

Sources: rtnetlink(7), linux/if_link.h, linux/rtnetlink.h, linux/if_bridge.h, linux/neighbour.h.
"""

import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network

NETLINK_ROUTE = 0
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK, RTM_NEWADDR, RTM_GETADDR = 16, 17, 18, 19, 20, 22
RTM_NEWROUTE, RTM_GETROUTE, RTM_NEWNEIGH = 24, 26, 28
REQUEST, ACK, DUMP, REPLACE, EXCL, CREATE = 1, 4, 0x300, 0x100, 0x200, 0x400
NESTED = 0x8000
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_PROTINFO = 1, 3, 4, 5, 10, 12
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_NET_NS_FD = 18, 20, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFLA_BRPORT_MODE, IFLA_BRPORT_ISOLATED = 4, 33
IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS = 1, 1, 2
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_F_NODAD = 1, 2, 4, 2
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_TABLE = 1, 4, 5, 15
NDA_LLADDR, NTF_MASTER, NUD_NOARP = 2, 4, 0x40
RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RTN_UNICAST = 254, 3, 0, 253, 1
AF_BRIDGE = 7
BUFFER = 1 << 16

Address = IPv4Address | IPv6Address


class NetlinkError(OSError):
    """The kernel refused a message; ``errno`` says why."""


def attr(kind: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    return struct.pack("=HH", len(payload) + 4, kind) + payload + bytes(-len(payload) % 4)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def ifinfo(index: int = 0, flags: int = 0, change: int = 0, family: int = 0) -> bytes:
    return struct.pack("=BxHiII", family, 0, index, flags, change)


def message(kind: int, flags: int, body: bytes) -> bytes:
    """A request without its sequence number, which ``Rtnetlink.talk`` fills in."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags | REQUEST, 0, 0) + body


def veth_add(name: str, master: int, mtu: int, peer: str, peer_mac: str, peer_ns: int) -> bytes:
    """A pair: ours in the bridge and up, the other born in the namespace of that descriptor, and down.

    The kernel refuses (ENOTCONN) to raise a peer that is not yet tied to its pair.
    """
    far = ifinfo() + attr(IFLA_IFNAME, text(peer)) + attr(IFLA_ADDRESS, mac_bytes(peer_mac))
    far += attr(IFLA_NET_NS_FD, u32(peer_ns)) + attr(IFLA_MTU, u32(mtu))
    info = attr(IFLA_INFO_KIND, b"veth") + attr(IFLA_INFO_DATA | NESTED, attr(VETH_INFO_PEER | NESTED, far))
    near = ifinfo(flags=IFF_UP, change=IFF_UP) + attr(IFLA_IFNAME, text(name)) + attr(IFLA_MASTER, u32(master))
    return message(
        RTM_NEWLINK, ACK | CREATE | EXCL, near + attr(IFLA_MTU, u32(mtu)) + attr(IFLA_LINKINFO | NESTED, info)
    )


def macvlan_add(parent: int, mode: int, name: str, mac: str, namespace: int) -> bytes:
    """A link on top of a parent's, with a MAC of its own, born in the namespace of that descriptor, and down."""
    data = attr(IFLA_MACVLAN_MODE, u32(mode))
    return _child_add("macvlan", data, parent, name, namespace, attr(IFLA_ADDRESS, mac_bytes(mac)))


def ipvlan_add(parent: int, mode: int, flags: int, name: str, namespace: int) -> bytes:
    """A link on top of a parent's that shares its MAC, born in the namespace of that descriptor, and down."""
    data = attr(IFLA_IPVLAN_MODE, struct.pack("=H", mode)) + attr(IFLA_IPVLAN_FLAGS, struct.pack("=H", flags))
    return _child_add("ipvlan", data, parent, name, namespace)


def _child_add(kind: str, data: bytes, parent: int, name: str, namespace: int, more: bytes = b"") -> bytes:
    info = attr(IFLA_INFO_KIND, kind.encode()) + attr(IFLA_INFO_DATA | NESTED, data)
    body = ifinfo() + attr(IFLA_IFNAME, text(name)) + attr(IFLA_LINK, u32(parent)) + more
    body += attr(IFLA_NET_NS_FD, u32(namespace)) + attr(IFLA_LINKINFO | NESTED, info)
    return message(RTM_NEWLINK, ACK | CREATE | EXCL, body)


def bridge_port(index: int, *, hairpin: bool, isolated: bool) -> bytes:
    """How a bridge treats one port: may frames go back out of it, and may it talk to other isolated ports."""
    flags = attr(IFLA_BRPORT_MODE, bytes([hairpin])) + attr(IFLA_BRPORT_ISOLATED, bytes([isolated]))
    return message(RTM_SETLINK, ACK, ifinfo(index, family=AF_BRIDGE) + attr(IFLA_PROTINFO | NESTED, flags))


def forwarding_entry(port: int, mac: str) -> bytes:
    """This MAC is behind this port, whatever the bridge had learned of an earlier container of that address."""
    body = struct.pack("=BxxxiHBB", AF_BRIDGE, port, NUD_NOARP, NTF_MASTER, 0) + attr(NDA_LLADDR, mac_bytes(mac))
    return message(RTM_NEWNEIGH, ACK | CREATE | REPLACE, body)


def link_up(index: int) -> bytes:
    return message(RTM_NEWLINK, ACK, ifinfo(index, IFF_UP, IFF_UP))


def link_delete(index: int) -> bytes:
    return message(RTM_DELLINK, ACK, ifinfo(index))


def family_of(address: Address) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def address_add(index: int, address: Address, prefix: int) -> bytes:
    """An address of a link; an IPv6 one without duplicate detection, since the address plan is ours."""
    body = struct.pack("=BBBBi", family_of(address), prefix, IFA_F_NODAD if address.version == 6 else 0, 0, index)
    body += attr(IFA_LOCAL, address.packed) + attr(IFA_ADDRESS, address.packed)
    if address.version == 4 and prefix < 31:
        whole = ip_network((address, prefix), strict=False)
        body += attr(IFA_BROADCAST, whole.broadcast_address.packed)
    return message(RTM_NEWADDR, ACK | CREATE | REPLACE, body)


def default_route(gateway: Address | None, index: int, family: int) -> bytes:
    """The default route by a gateway, or straight out of a link, in place of one that is there."""
    scope = RT_SCOPE_UNIVERSE if gateway is not None or family == socket.AF_INET6 else RT_SCOPE_LINK
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, scope, RTN_UNICAST, 0)
    if gateway is not None:
        body += attr(RTA_GATEWAY, gateway.packed)
    body += attr(RTA_OIF, u32(index))
    return message(RTM_NEWROUTE, ACK | CREATE | REPLACE, body)


def attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by kind, without the nesting flag; a later one of the same kind wins."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


class Rtnetlink:
    """One rtnetlink socket; not for two threads at once."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Rtnetlink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def talk(self, *messages: bytes) -> None:
        """Send messages in one go and wait for every answer.

        Raises:
            NetlinkError: the first refusal; the kernel has still seen the others.
        """
        waiting = set()
        packed = bytearray()
        for one in messages:
            self._sequence += 1
            waiting.add(self._sequence)
            packed += one[:8] + u32(self._sequence) + one[12:] + bytes(-len(one) % 4)
        self._socket.send(packed)
        refused = 0
        while waiting:
            for kind, sequence, body in self._receive():
                waiting.discard(sequence)
                if kind == NLMSG_ERROR and not refused:
                    refused = -int(struct.unpack_from("=i", body)[0])
        if refused:
            raise NetlinkError(refused, os.strerror(refused))

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """The bodies of everything that the kernel lists.

        Raises:
            NetlinkError: it refuses.
        """
        self._sequence += 1
        request = message(kind, DUMP, body)
        self._socket.send(request[:8] + u32(self._sequence) + request[12:])
        found: list[bytes] = []
        while True:
            for answer, sequence, part in self._receive():
                if sequence != self._sequence:
                    continue
                if answer == NLMSG_DONE:
                    return found
                if answer == NLMSG_ERROR:
                    code = -int(struct.unpack_from("=i", part)[0])
                    raise NetlinkError(code, os.strerror(code))
                found.append(part)

    def index_of(self, name: str) -> int:
        """A link's number in this socket's namespace, wherever the calling thread is.

        Raises:
            NetlinkError: there is no such link.
        """
        self._sequence += 1
        request = message(RTM_GETLINK, 0, ifinfo() + attr(IFLA_IFNAME, text(name)))
        self._socket.send(request[:8] + u32(self._sequence) + request[12:])
        for kind, _, body in self._receive():
            if kind == NLMSG_ERROR:
                code = -int(struct.unpack_from("=i", body)[0])
                raise NetlinkError(code, f"{os.strerror(code)}: {name}")
            return int(struct.unpack_from("=BxxxiII", body)[1])
        raise NetlinkError(0, f"no answer about {name}")

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        data = self._socket.recv(BUFFER)
        at = 0
        while at + 16 <= len(data):
            length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data, at)
            yield kind, sequence, data[at + 16 : at + length]
            at += (length + 3) & ~3
