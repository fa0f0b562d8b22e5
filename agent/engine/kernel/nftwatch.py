"""Hear of it when somebody removes what stands in a table of ours, instead of looking again and again.

A socket hears of the namespace that the thread is in when it opens it, for ever.

Source: linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
"""

import errno
import socket
import struct

from agent.engine.kernel.conntrack import NETLINK_NETFILTER
from agent.engine.kernel.rtnetlink import BUFFER, attributes

SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES = 270, 1, 7
NFNL_SUBSYS_NFTABLES = 10
# DELTABLE, DELCHAIN, DELRULE: of all three the first attribute is the table's name.
REMOVALS = {NFNL_SUBSYS_NFTABLES << 8 | number for number in (2, 5, 8)}
TABLE_NAME = 1
AT_ONCE = 64
"""Datagrams read in one go: a firewall that is loaded anew must not hold the loop."""


class NftWatch:
    """Hears of removals from tables of one name."""

    def __init__(self, table: str) -> None:
        """Begin to listen.

        Raises:
            OSError: the kernel has no nftables.
        """
        self._table = table.encode()
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, NETLINK_NETFILTER
        )
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def removed(self) -> bool:
        """Read what has come: something of ours may be gone. Never blocks."""
        for _ in range(AT_ONCE):
            try:
                data = self._socket.recv(BUFFER)
            except BlockingIOError:
                return False
            except OSError as error:
                # So much has happened that the kernel could not keep it all.
                return error.errno == errno.ENOBUFS
            if self._names_ours(data):
                return True
        return False

    def _names_ours(self, data: bytes) -> bool:
        at = 0
        while at + 20 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            # 16 bytes of netlink's header, 4 of nfnetlink's.
            if kind in REMOVALS:
                name = attributes(data[at + 20 : at + length]).get(TABLE_NAME, b"")
                if name.rstrip(b"\0") == self._table:
                    return True
            at += max((length + 3) & ~3, 16)
        return False
