"""Names on user-defined networks. Ids are of the list of hostile inputs."""

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from agent.engine.kernel import namespaces
from agent.engine.networks.hostfiles import parse_resolv
from tests.agent.engine.networks.bench import Bench


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
            length = int.from_bytes(asking.recv(2))
            return asking.recv(length)


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
        silent.bind(("127.0.0.9", 53))
        ask_servers(bench, "one", "127.0.0.9")
        async with asyncio.timeout(2):
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


async def test_upstream(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode=net)
    seen = []

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            query = DNSRecord.parse(data)
            seen.append(str(query.q.qname))
            reply = query.reply()
            reply.header.rcode = RCODE.NXDOMAIN
            self.transport.sendto(b"\xff\xff" + reply.pack()[2:], addr)
            self.transport.sendto(reply.pack(), addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.10", 53))
    ask_servers(bench, "one", "127.0.0.10")
    answer = await ask(one.netns_path, "nosuch.example.org")
    transport.close()
    assert answer.header.rcode == RCODE.NXDOMAIN
    assert QTYPE[answer.q.qtype] == "A"
    assert seen == ["nosuch.example.org."]
