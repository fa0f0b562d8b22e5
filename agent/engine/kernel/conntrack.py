"""Forget connections that the kernel tracks, so that UDP clients follow a published port to its new container.

A UDP "connection" lives for as long as somebody sends: without this, a client that goes on sending from one port would
be led to the address of a container that is gone, or, where the port was published later, to nobody.

Source: linux/netfilter/nfnetlink_conntrack.h.
"""

import socket
import struct
from collections.abc import Collection, Iterator

from agent.engine.kernel.rtnetlink import ACK, BUFFER, DUMP, NLMSG_DONE, NLMSG_ERROR, attr, attributes, message

NETLINK_NETFILTER = 12
CT_GET, CT_DELETE = 0x101, 0x102
CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM, CTA_PROTO_DST_PORT = 1, 2, 1, 3
NESTED = 0x8000


def delete_udp(ports: Collection[int]) -> int:
    """Forget UDP connections to these ports of whatever address, in the calling thread's namespace; how many."""
    gone = 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER) as asking:
        asking.bind((0, 0))
        for family in (socket.AF_INET, socket.AF_INET6):
            for original in list(_connections(asking, family)):
                proto = attributes(attributes(original).get(CTA_TUPLE_PROTO, b""))
                if proto.get(CTA_PROTO_NUM, b"") != bytes([socket.IPPROTO_UDP]):
                    continue
                if int.from_bytes(proto.get(CTA_PROTO_DST_PORT, b"")) in ports:
                    body = _header(family) + attr(CTA_TUPLE_ORIG | NESTED, original)
                    asking.send(message(CT_DELETE, ACK, body))
                    asking.recv(BUFFER)
                    gone += 1
    return gone


def _connections(asking: socket.socket, family: int) -> Iterator[bytes]:
    """The original direction of each tracked connection."""
    asking.send(message(CT_GET, DUMP, _header(family)))
    while True:
        data = asking.recv(BUFFER)
        at = 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind in (NLMSG_DONE, NLMSG_ERROR):
                return
            # 16 bytes of netlink's header, 4 of nfnetlink's.
            yield attributes(data[at + 20 : at + length]).get(CTA_TUPLE_ORIG, b"")
            at += (length + 3) & ~3


def _header(family: int) -> bytes:
    return struct.pack(">BBH", family, 0, 0)
