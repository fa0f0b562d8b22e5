"""Answers of the embedded resolver. Values to values, no IO.

Names of containers on shared networks are answered here: their name, aliases, hostname and short id, each also with
``.NETWORK`` behind it, and their addresses backwards. Everything else goes to the host's resolvers as it came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import dnslib
from dnslib import AAAA, PTR, QTYPE, RCODE, RR, A, DNSError, DNSRecord

# Docker's.
TTL = 600
UDP_LIMIT = 512
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Names:
    """What one container may see: of its own networks only."""

    forward: Mapping[str, Sequence[Address]]
    """Lower-case name → addresses."""
    backward: Mapping[Address, str]
    """Address → ``name.network``."""


class Malformed(Exception):
    """The datagram is no query."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question, and the bytes in which it came."""

    record: DNSRecord
    raw: bytes
    name: str
    kind: int


def parse(raw: bytes) -> Query:
    """Read a query.

    Raises:
        Malformed: whatever it is, it has no single question.
    """
    try:
        record = DNSRecord.parse(raw)
    except (DNSError, ValueError, IndexError, RecursionError, UnicodeError) as error:
        raise Malformed(str(error)) from error
    if record.header.qr or len(record.questions) != 1:
        raise Malformed("not one question")
    return Query(record, raw, str(record.q.qname).rstrip(".").lower(), int(record.q.qtype))


def answer(query: Query, names: Names) -> bytes | None:
    """The answer from what is known here; None: ask a server."""
    if query.kind == QTYPE.PTR:
        address = backward_address(query.name)
        found = names.backward.get(address) if address is not None else None
        if found is None:
            return None
        return _reply(query, [RR(query.record.q.qname, QTYPE.PTR, rdata=PTR(found), ttl=TTL)])
    addresses = names.forward.get(query.name)
    if addresses is None:
        return None
    # A name that is ours never leaks outwards: without an address of that kind the answer is empty.
    records = []
    for one in addresses:
        if one.version == 4 and query.kind in (QTYPE.A, QTYPE.ANY):
            records.append(RR(query.record.q.qname, QTYPE.A, rdata=A(str(one)), ttl=TTL))
        elif one.version == 6 and query.kind in (QTYPE.AAAA, QTYPE.ANY):
            records.append(RR(query.record.q.qname, QTYPE.AAAA, rdata=AAAA(str(one)), ttl=TTL))
    return _reply(query, records)


def refuse(query: Query, code: int = RCODE.SERVFAIL) -> bytes:
    """An answer that says no."""
    reply = query.record.reply(ra=1, aa=0)
    reply.header.rcode = code
    return bytes(reply.pack())


def truncated(query: Query) -> bytes:
    """Tell the client to ask again by TCP."""
    reply = query.record.reply(ra=1, aa=0)
    reply.header.tc = 1
    return bytes(reply.pack())


def udp_limit(query: Query) -> int:
    """How long an answer by UDP may be: 512, or what the client's EDNS says."""
    sizes = [record.rclass for record in query.record.ar if record.rtype == dnslib.QTYPE.OPT]
    return max(UDP_LIMIT, *sizes) if sizes else UDP_LIMIT


def is_answer(query: Query, raw: bytes) -> bool:
    """These bytes answer that query: same id, and an answer at all."""
    return len(raw) >= 12 and raw[:2] == query.raw[:2] and bool(raw[2] & 0x80)


def backward_address(name: str) -> Address | None:
    """The address that a name below in-addr.arpa or ip6.arpa stands for."""
    try:
        if name.endswith(".in-addr.arpa"):
            return ip_address(".".join(reversed(name.removesuffix(".in-addr.arpa").split("."))))
        if name.endswith(".ip6.arpa"):
            digits = "".join(reversed(name.removesuffix(".ip6.arpa").split(".")))
            return ip_address(bytes.fromhex(digits)) if len(digits) == 32 else None
    except ValueError:
        return None
    return None


def _reply(query: Query, records: Sequence[RR]) -> bytes:
    reply = query.record.reply(ra=1, aa=0)
    reply.add_answer(*records)
    return bytes(reply.pack())
