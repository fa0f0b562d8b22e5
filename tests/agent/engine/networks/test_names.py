"""Names on user-defined networks. Ids are of the list of hostile inputs."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from dnslib import EDNS0, QTYPE, RCODE, RR, TXT, A, DNSError, DNSRecord

from agent.engine.kernel import namespaces
from agent.engine.networks.hostfiles import parse_resolv
from tests.agent.engine.networks.bench import Bench

HERE = f"127.{os.getpid() >> 8 & 127 | 128}.{os.getpid() & 255}.1"
"""An address of the loopback for this process alone: its port 53 is free."""


def _exchange(where: Path, raw: bytes, stream: bool) -> bytes:
    with namespaces.entered(where):
        kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as asking:
            asking.settimeout(4)
            asking.connect(("127.0.0.11", 53))
            if not stream:
                asking.send(raw)
                return asking.recv(1 << 16)
            asking.sendall(len(raw).to_bytes(2) + raw)
            with asking.makefile("rb") as answer:
                return answer.read(int.from_bytes(answer.read(2)))


async def ask(where: Path | None, name: str, kind: str = "A", stream: bool = False) -> DNSRecord:
    """The answer of the resolver inside that namespace."""
    assert where is not None
    raw = DNSRecord.question(name, kind).pack()
    work = lambda: namespaces.in_own_thread(lambda: _exchange(where, raw, stream))  # noqa: E731
    return DNSRecord.parse(await asyncio.to_thread(work))


def values(answer: DNSRecord) -> list[str]:
    return [str(record.rdata) for record in answer.rr]


def ask_servers(bench: Bench, name: str, *servers: str) -> None:
    """Let a container's resolver ask these and no others."""
    resolver = bench.service.ops.live[bench.record(name).id].resolver
    assert resolver is not None
    resolver._upstream = lambda: servers


@pytest.fixture
async def net(bench: Bench) -> str:
    await bench.service.create({"Name": "net", "IPAM": {"Config": [{"Subnet": "10.66.0.0/24"}]}})
    return "net"


async def test_it_works(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net, endpoints={net: {"Aliases": ["web"]}})
    two = await bench.start("two", mode=net)
    short = bench.record("one").id[:12]
    for name in ("one", "ONE", "web", short, "one.net"):
        assert values(await ask(two.netns_path, name)) == ["10.66.0.2"], name
    assert values(await ask(two.netns_path, "one", stream=True)) == ["10.66.0.2"]
    assert values(await ask(one.netns_path, "two")) == ["10.66.0.3"]
    assert values(await ask(one.netns_path, "one")) == ["10.66.0.2"]
    assert parse_resolv(two.resolv_path.read_text()).nameservers == ("127.0.0.11",)
    assert "ndots:0" in two.resolv_path.read_text()


async def test_with_many_open_files(bench: Bench, net: str) -> None:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1200)]
    try:
        one = await bench.start("one", mode=net)
        assert values(await ask(one.netns_path, "one")) == ["10.66.0.2"]
    finally:
        for descriptor in held:
            os.close(descriptor)


async def test_backwards(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    assert values(await ask(one.netns_path, "2.0.66.10.in-addr.arpa", "PTR")) == ["one.net."]


async def test_a_known_name_without_such_an_address_is_empty(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    answer = await ask(one.netns_path, "one", "AAAA")
    assert (values(answer), answer.header.rcode) == ([], RCODE.NOERROR)


async def test_a_rename_is_followed(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    assert values(await ask(one.netns_path, "one")) == ["10.66.0.2"]
    await bench.containers.change(bench.record("one").id, name="renamed")
    await asyncio.sleep(1.1)
    assert values(await ask(one.netns_path, "renamed")) == ["10.66.0.2"]


async def test_ipv6(bench: Bench) -> None:
    await bench.service.create({"Name": "six", "EnableIPv6": True})
    one = await bench.start("one", mode="six")
    two = await bench.start("two", mode="six")
    address = one.endpoints["six"]["GlobalIPv6Address"]
    assert values(await ask(two.netns_path, "one", "AAAA")) == [address]


async def test_d1_only_names_of_shared_networks(bench: Bench, net: str) -> None:
    await bench.service.create({"Name": "other"})
    await bench.start("secret", mode="other")
    one = await bench.start("one", mode=net)
    ask_servers(bench, "one")
    assert (await ask(one.netns_path, "secret")).header.rcode == RCODE.SERVFAIL


async def test_d1_an_internal_network_asks_nobody_outside(bench: Bench) -> None:
    await bench.service.create({"Name": "inner", "Internal": True})
    one = await bench.start("one", mode="inner")
    resolver = bench.service.ops.live[bench.record("one").id].resolver
    assert resolver is not None
    assert list(resolver._upstream()) == []
    assert (await ask(one.netns_path, "secret.example.org")).header.rcode == RCODE.SERVFAIL
    assert values(await ask(one.netns_path, "one")) == [one.endpoints["inner"]["IPAddress"]]


async def test_d1_a_dead_server_is_servfail_in_time(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((f"{HERE}4", 53))
        ask_servers(bench, "one", f"{HERE}4")
        async with asyncio.timeout(5):
            assert (await ask(one.netns_path, "example.org")).header.rcode == RCODE.SERVFAIL


async def test_d1_malformed_queries_do_no_harm(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    loop = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"
    path = one.netns_path
    assert path is not None

    def send() -> None:
        with namespaces.entered(path), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            for raw in (b"", b"x", b"\0" * 12, loop, b"\xff" * 4000):
                asking.sendto(raw, ("127.0.0.11", 53))

    await asyncio.to_thread(namespaces.in_own_thread, send)
    assert values(await ask(path, "one")) == ["10.66.0.2"]


async def test_d1_a_flood_is_bounded(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    raw = DNSRecord.question("one").pack()
    path = one.netns_path
    assert path is not None

    def flood() -> None:
        with namespaces.entered(path), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(("127.0.0.11", 53))
            for _ in range(10_000):
                asking.send(raw)

    longest = 0.0
    flooding = asyncio.create_task(asyncio.to_thread(namespaces.in_own_thread, flood))
    while not flooding.done():
        before = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - before)
    assert longest < 0.5, "the loop goes on"
    await asyncio.sleep(1)
    assert values(await ask(path, "one")) == ["10.66.0.2"]


class Upstream(asyncio.DatagramProtocol):
    """A server of the host's that answers as it is told, and notes what it was asked."""

    def __init__(self, answer: Callable[[DNSRecord, bytes], Sequence[bytes]]) -> None:
        self.answer = answer
        self.seen: list[str] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = DNSRecord.parse(data)
        self.seen.append(str(query.q.qname))
        for reply in self.answer(query, data):
            self.transport.sendto(reply, addr)


@contextlib.asynccontextmanager
async def serving(address: str, answer: Callable[[DNSRecord, bytes], Sequence[bytes]]) -> AsyncIterator[Upstream]:
    """A server on port 53 of an address of the machine's loopback."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Upstream(answer), local_addr=(address, 53))
    try:
        yield server
    finally:
        transport.close()


def nxdomain(query: DNSRecord, _: bytes) -> list[bytes]:
    reply = query.reply()
    reply.header.rcode = RCODE.NXDOMAIN
    return [b"\xff\xff" + reply.pack()[2:], reply.pack()]


async def test_d1_nxdomain_of_upstream(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    async with serving(HERE, nxdomain) as server:
        ask_servers(bench, "one", HERE)
        answer = await ask(one.netns_path, "nosuch.example.org")
    assert answer.header.rcode == RCODE.NXDOMAIN
    assert QTYPE[answer.q.qtype] == "A"
    assert server.seen == ["nosuch.example.org."]


async def test_d1_the_next_server_is_asked(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    async with serving(HERE, nxdomain):
        ask_servers(bench, "one", f"{HERE}3", HERE)
        assert (await ask(one.netns_path, "nosuch.example.org")).header.rcode == RCODE.NXDOMAIN


async def test_d1_an_answer_of_64_kib(bench: Bench, net: str) -> None:
    def large(query: DNSRecord) -> bytes:
        reply = query.reply()
        reply.add_answer(*(RR(query.q.qname, QTYPE.TXT, rdata=TXT("x" * 200)) for _ in range(300)))
        packed = bytes(reply.pack())
        return packed[:65535]

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = DNSRecord.parse(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
        reply = large(query)
        writer.write(len(reply).to_bytes(2) + reply)
        writer.close()

    one = await bench.start("one", mode=net)
    async with serving(HERE, lambda query, _: [large(query)[:60000]]):
        ask_servers(bench, "one", HERE)
        answer = await ask(one.netns_path, "large.example.org", "TXT")
        assert (answer.header.tc, len(answer.rr)) == (1, 0), "too long for a datagram: ask again by TCP"
    listening = await asyncio.start_server(stream, HERE, 53)
    async with listening:
        answer = await ask(one.netns_path, "large.example.org", "TXT", stream=True)
    assert (answer.header.tc, len(answer.rr)) == (0, 300)


async def test_edns_allows_longer_datagrams(bench: Bench, net: str) -> None:
    def long(query: DNSRecord, _: bytes) -> list[bytes]:
        reply = query.reply()
        reply.add_answer(*(RR(query.q.qname, QTYPE.TXT, rdata=TXT("x" * 200)) for _ in range(5)))
        return [reply.pack()]

    one = await bench.start("one", mode=net)
    query = DNSRecord.question("long.example.org", "TXT")
    query.add_ar(EDNS0(udp_len=4096))
    assert one.netns_path is not None
    async with serving(HERE, long):
        ask_servers(bench, "one", HERE)
        raw = await asyncio.to_thread(
            namespaces.in_own_thread, lambda: _exchange(one.netns_path or Path(), query.pack(), False)
        )
        assert len(DNSRecord.parse(raw).rr) == 5
        assert (await ask(one.netns_path, "long.example.org", "TXT")).header.tc == 1


async def test_d1_a_resolver_in_a_loop_to_itself(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    ask_servers(bench, "one", "127.0.0.11")
    async with asyncio.timeout(5):
        assert (await ask(one.netns_path, "example.org")).header.rcode == RCODE.SERVFAIL
    asked = 0

    def back(query: DNSRecord, raw: bytes) -> list[bytes]:
        # Another server that asks the container's resolver in turn.
        nonlocal asked
        asked += 1
        looping.add(asyncio.get_running_loop().create_task(ask(one.netns_path, str(query.q.qname))))
        return []

    looping: set[asyncio.Task[DNSRecord]] = set()
    async with serving(HERE, back):
        ask_servers(bench, "one", HERE)
        async with asyncio.timeout(4):
            assert (await ask(one.netns_path, "example.org")).header.rcode == RCODE.SERVFAIL
        await asyncio.gather(*looping)
    assert asked <= 300
    assert values(await ask(one.netns_path, "one")) == ["10.66.0.2"]


async def test_d1_names_that_are_none(bench: Bench, net: str) -> None:
    one = await bench.start(
        "one", mode=net, endpoints={net: {"Aliases": ["..", "a.b.c", "", "x" * 300, "é", "localhost"]}}
    )
    ask_servers(bench, "one")
    assert values(await ask(one.netns_path, "a.b.c")) == ["10.66.0.2"]
    for name in ("..", "x" * 60, "a..b"):
        with contextlib.suppress(BufferError, ValueError, DNSError):
            assert (await ask(one.netns_path, name)).header.rcode == RCODE.SERVFAIL
    assert values(await ask(one.netns_path, "2.0.66.10.in-addr.arpa", "PTR")) == ["one.net."]


async def test_links_are_known_to_their_owner_alone(bench: Bench, net: str) -> None:
    await bench.start("db", mode=net)
    one = await bench.start(
        "one", mode=net, endpoints={net: {"Links": ["db:store", f"{bench.record('db').id[:12]}:s2"]}}
    )
    two = await bench.start("two", mode=net)
    for name in ("store", "store.net", "s2"):
        assert values(await ask(one.netns_path, name)) == ["10.66.0.2"]
    ask_servers(bench, "two")
    assert (await ask(two.netns_path, "store")).header.rcode == RCODE.SERVFAIL


async def test_servers_of_its_own_are_asked_from_within(bench: Bench) -> None:
    """A name server beside the container, which the engine's process cannot reach; on an internal network too."""
    await bench.service.create({"Name": "inner", "Internal": True, "IPAM": {"Config": [{"Subnet": "10.66.0.0/24"}]}})
    server = await bench.start("server", mode="inner")
    one = await bench.start("one", mode="inner", dns=["10.66.0.2"])
    assert server.netns_path is not None

    def listen() -> socket.socket:
        with namespaces.entered(server.netns_path or Path()):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind(("10.66.0.2", 53))
            made.settimeout(5)
            return made

    def answer() -> None:
        data, sender = listening.recvfrom(512)
        reply = DNSRecord.parse(data).reply()
        reply.add_answer(RR("far.example.org", rdata=A("192.0.2.7"), ttl=5))
        listening.sendto(reply.pack(), sender)

    with namespaces.in_own_thread(listen) as listening:
        answering = asyncio.create_task(asyncio.to_thread(answer))
        assert values(await ask(one.netns_path, "far.example.org")) == ["192.0.2.7"]
        await answering
