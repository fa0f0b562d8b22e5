"""Published ports, from everywhere that they may and may not be reached. Ids are of the list of hostile inputs."""

import asyncio
import contextlib
import socket
import struct
from pathlib import Path

import pytest

from agent.engine.errors import Invalid, System
from agent.engine.kernel import namespaces
from agent.engine.networks.requests import Sandbox
from tests.agent.engine.networks.bench import Bench, Namespace
from tests.agent.engine.networks.wire import ASK_UDP, ECHO, SCTP_ASK, SCTP_SERVER, Servers, ask, bound


async def test_n1_a_published_port_is_reached_from_everywhere(
    bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers
) -> None:
    one = await bench.start("one", ports=bound("8080:80"))
    assert one.ports == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]}
    await servers.serve(one.netns_path, 80)
    neighbour = await bench.start("two")
    await bench.service.create({"Name": "other"})
    stranger = await bench.start("three", mode="other")
    assert "page 172.17.0.1" in await ask(namespace.path, "127.0.0.1", 8080)
    assert "page" in await ask(namespace.path, "10.99.0.1", 8080)
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.1", 8080)
    assert "page" in await ask(neighbour.netns_path, "10.99.0.1", 8080)
    assert "page" in await ask(neighbour.netns_path, "172.17.0.1", 8080)
    assert "page" in await ask(stranger.netns_path, "10.99.0.1", 8080)
    assert "page" in await ask(one.netns_path, "10.99.0.1", 8080), "a container reaches its own published port"
    assert "page" in await ask(namespace.path, "::1", 8080)


async def test_n1_a_port_of_the_loopback_is_reached_from_the_host_alone(
    bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers
) -> None:
    one = await bench.start("one", ports=bound("127.0.0.1:8080:80"))
    assert one.ports == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    await servers.serve(one.netns_path, 80)
    neighbour = await bench.start("two")
    assert "page" in await ask(namespace.path, "127.0.0.1", 8080)
    outside.sh(
        "ip route add 127.0.0.1/32 via 10.99.0.1 table 99; ip rule add to 127.0.0.1 pref 0 table 99", check=False
    )
    outside.sh("ip rule del pref 0 table local; ip rule add pref 10 table local", check=False)
    assert "refused" in await ask(outside.path, "127.0.0.1", 8080), "a neighbour addresses our loopback"
    assert "refused" in await ask(outside.path, "10.99.0.1", 8080)
    assert "refused" in await ask(neighbour.netns_path, "172.17.0.1", 8080)


async def test_n1_no_direct_way_to_a_container(bench: Bench, outside: Namespace, servers: Servers) -> None:
    one = await bench.start("one", ports=bound("8080:80"))
    await servers.serve(one.netns_path, 80)
    await servers.serve(one.netns_path, 81)
    assert "refused" in await ask(outside.path, "172.17.0.2", 81)
    assert "refused" in await ask(outside.path, "172.17.0.2", 80)


async def test_n3_networks_are_apart(bench: Bench, servers: Servers) -> None:
    await bench.service.create({"Name": "first"})
    await bench.service.create({"Name": "second"})
    one = await bench.start("one", mode="first")
    two = await bench.start("two", mode="second")
    three = await bench.start("three", mode="first")
    await servers.serve(one.netns_path, 80)
    address = one.endpoints["first"]["IPAddress"]
    assert "page" in await ask(three.netns_path, address, 80)
    assert "refused" in await ask(two.netns_path, address, 80)


async def test_n3_an_internal_network_stays_inside(bench: Bench, outside: Namespace, servers: Servers) -> None:
    await bench.service.create({"Name": "inner", "Internal": True})
    one = await bench.start("one", mode="inner", ports=bound("8080:80"))
    two = await bench.start("two", mode="inner")
    three = await bench.start("three")
    await servers.serve(one.netns_path, 80)
    await servers.serve(outside.path, 90)
    assert one.ports == {}
    assert "page" in await ask(two.netns_path, one.endpoints["inner"]["IPAddress"], 80)
    assert "refused" in await ask(one.netns_path, "10.99.0.2", 90)
    assert "page 10.99.0.1" in await ask(three.netns_path, "10.99.0.2", 90)


async def test_n3_without_icc_neighbours_are_apart(bench: Bench, outside: Namespace, servers: Servers) -> None:
    await bench.service.create({"Name": "apart", "Options": {"com.docker.network.bridge.enable_icc": "false"}})
    one = await bench.start("one", mode="apart", ports=bound("8080:80"))
    two = await bench.start("two", mode="apart")
    await servers.serve(one.netns_path, 80)
    await servers.serve(outside.path, 90)
    assert "refused" in await ask(two.netns_path, one.endpoints["apart"]["IPAddress"], 80)
    assert "page" in await ask(two.netns_path, "10.99.0.2", 90)
    assert "page" in await ask(two.netns_path, "10.99.0.1", 8080)


async def test_n4_rules_come_back(bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers) -> None:
    namespace.sh("nft add table inet theirs; nft add chain inet theirs mine")
    one = await bench.start("one", ports=bound("8080:80"))
    await servers.serve(one.netns_path, 80)
    bench.unwatched()
    namespace.sh("nft flush ruleset; nft add table inet theirs")
    ops = bench.service.ops
    assert await ops.workers.run(ops.rules.restore)
    assert not await ops.workers.run(ops.rules.restore)
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.1", 8080)
    assert "table inet theirs" in namespace.sh("nft list ruleset")


async def test_udp(bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers) -> None:
    one = await bench.start("one", ports=bound("8080:80/udp"))
    await servers.serve(one.netns_path, 80, ECHO)
    assert "echo hello" in await ask(outside.path, "10.99.0.1", 8080, ASK_UDP)
    assert "echo hello" in await ask(namespace.path, "127.0.0.1", 8080, ASK_UDP)
    assert "echo hello" in await ask(namespace.path, "::1", 8080, ASK_UDP)


async def test_a_udp_client_follows_the_port(bench: Bench, outside: Namespace, servers: Servers) -> None:
    def client() -> socket.socket:
        with namespaces.entered(outside.path):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.connect(("10.99.0.1", 8080))
            made.settimeout(10)
            return made

    def answer(wanted: bytes) -> bytes:
        # one that was sent before may have waited for its neighbour's address, and be answered now
        while (found := asking.recv(99)) != wanted:
            pass
        return found

    with namespaces.in_own_thread(client) as asking:
        asking.send(b"before anybody listens")
        one = await bench.start("one", ports=bound("8080:80/udp"))
        await servers.serve(one.netns_path, 80, ECHO)
        with contextlib.suppress(ConnectionRefusedError):
            asking.send(b"to one")
        asking.send(b"to one")
        assert await asyncio.to_thread(answer, b"echo to one") == b"echo to one"
        await bench.start("between")
        await bench.stop("one")
        await bench.start("first")
        two = await bench.start("two", ports=bound("8080:80/udp"))
        assert two.endpoints["bridge"]["IPAddress"] != one.endpoints["bridge"]["IPAddress"]
        await servers.serve(two.netns_path, 80, ECHO)
        asking.send(b"to two")
        assert await asyncio.to_thread(answer, b"echo to two") == b"echo to two"


def crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def sctp_init(source: int, port: int) -> bytes:
    """The first packet of an association, RFC 9260 section 3.3.2."""
    chunk = struct.pack(">BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 1)
    head = struct.pack(">HHI", source, port, 0)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


async def test_sctp(bench: Bench, outside: Namespace) -> None:
    """By raw packets, since a kernel need not have SCTP sockets for its packets to be led to a container."""
    one = await bench.start("one", ports=bound("8080:80/sctp"))
    assert [binding["HostPort"] for binding in one.ports["80/sctp"] or ()] == ["8080", "8080"]
    two = await bench.start("two", ports=bound("8080:80"))
    assert two.ports["80/tcp"]
    with pytest.raises(System, match=r"Bind for 0\.0\.0\.0:8080 failed: port is already allocated"):
        await bench.start("three", ports=bound("8080:80/sctp"))

    def raw(where: Path | None) -> socket.socket:
        assert where is not None
        with namespaces.entered(where):
            made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP)
            made.settimeout(5)
            return made

    with (
        namespaces.in_own_thread(lambda: raw(one.netns_path)) as listening,
        namespaces.in_own_thread(lambda: raw(outside.path)) as sending,
    ):
        sending.sendto(sctp_init(5000, 8080), ("10.99.0.1", 0))
        packet, sender = await asyncio.to_thread(listening.recvfrom, 2000)
    assert (sender[0], struct.unpack(">HH", packet[20:24])) == ("10.99.0.2", (5000, 80))


@pytest.mark.links
async def test_sctp_by_sockets(bench: Bench, outside: Namespace, servers: Servers) -> None:
    one = await bench.start("one", ports=bound("8080:80/sctp"))
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
    except OSError:
        assert all(binding.socket is None for binding in bench.service.ops.live[bench.record("one").id].bindings)
        return
    await servers.serve(one.netns_path, 80, SCTP_SERVER)
    assert "page" in await ask(outside.path, "10.99.0.1", 8080, SCTP_ASK)


async def test_two_starts_at_once(bench: Bench) -> None:
    found = await asyncio.gather(
        *(bench.start(f"c{number}", ports=bound("8080:80")) for number in range(6)), return_exceptions=True
    )
    refused = [one for one in found if isinstance(one, System)]
    assert len(refused) == 5
    assert all("Bind for 0.0.0.0:8080 failed: port is already allocated" in str(one) for one in refused)
    assert len(list(bench.paths.namespaces.iterdir())) == 1
    assert len(bench.service.ops.live) == 1


async def test_a_range_for_many_at_once(bench: Bench) -> None:
    found = await asyncio.gather(
        *(bench.start(f"c{number}", ports=bound("8080-8083:80")) for number in range(6)), return_exceptions=True
    )
    given = [one.ports["80/tcp"] for one in found if isinstance(one, Sandbox)]
    numbers = sorted(int(bindings[0]["HostPort"]) for bindings in given if bindings)
    assert numbers == [8080, 8081, 8082, 8083]
    assert sum(isinstance(one, System) for one in found) == 2


async def test_random_numbers(bench: Bench) -> None:
    one = await bench.start("one", ports=bound(":80", ":81"))
    numbers = [{binding["HostPort"] for binding in bindings or ()} for bindings in one.ports.values()]
    assert all(len(found) == 1 for found in numbers), "the same number on 0.0.0.0 and [::]"
    assert numbers[0] != numbers[1]


async def test_a_range_takes_the_first_free_number(bench: Bench) -> None:
    await bench.start("one", ports=bound("8080:80"))
    two = await bench.start("two", ports=bound("8080-8082:80"))
    assert {binding["HostPort"] for binding in two.ports["80/tcp"] or ()} == {"8081"}


async def test_a_process_of_the_host_has_the_port(bench: Bench, namespace: Namespace) -> None:
    def listen() -> socket.socket:
        with namespaces.entered(namespace.path):
            made = socket.socket()
            made.bind(("0.0.0.0", 8080))
            made.listen()
            return made

    with (
        namespaces.in_own_thread(listen),
        pytest.raises(
            System,
            match=r"driver failed programming external connectivity on endpoint one \([0-9a-f]{64}\): "
            r"listen tcp4 0\.0\.0\.0:8080: bind: address already in use",
        ),
    ):
        await bench.start("one", ports=bound("8080:80"))
    one = await bench.start("one", ports=bound("8080:80"))
    assert one.endpoints["bridge"]["IPAddress"] == "172.17.0.2"


async def test_the_same_number_on_two_addresses(bench: Bench, namespace: Namespace) -> None:
    namespace.sh("ip addr add 127.0.0.2/8 dev lo")
    await bench.start("one", ports=bound("127.0.0.1:8080:80"))
    await bench.start("two", ports=bound("127.0.0.2:8080:80"))
    with pytest.raises(System, match=r"Bind for 0\.0\.0\.0:8080 failed: port is already allocated"):
        await bench.start("three", ports=bound("8080:80"))
    await bench.start("four", ports=bound("8080:80/udp"))


@pytest.mark.parametrize("ports", [{"80/icmp": None}, {"x/tcp": None}, {"80/tcp": [{"HostPort": "99999"}]}])
async def test_bad_requests(bench: Bench, ports: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await bench.start("one", ports=ports)
    assert list(bench.paths.namespaces.iterdir()) == []


async def test_exposed_ports_are_shown(bench: Bench) -> None:
    one: Sandbox = await bench.start("one", exposed={"99/tcp": {}}, ports=bound("8080:80"))
    assert one.ports["99/tcp"] is None
