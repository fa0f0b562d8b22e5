"""A container that may make raw packets can still not speak for another. Ids are of the list of hostile inputs."""

import asyncio
import struct
import subprocess
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.agent.engine.networks.bench import Bench, Namespace, enter

SEND = """
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
for frame in sys.argv[1:]:
    raw.send(bytes.fromhex(frame))
"""
HEAR = """
import socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind(("eth0", 3))
print("ready", flush=True)
while True:
    frame = raw.recv(2000).hex()
    if sys.argv[1] in frame:
        print(frame, flush=True)
"""
MARK = "c0ffee5eed0fc0ffee"


Hear = Callable[[Path | None, Path | None, list[str]], list[str]]


@pytest.fixture
def hear() -> Iterator[Hear]:
    """Send frames in a container; what arrived of them in another, the last one being sure to."""
    ears: list[subprocess.Popen[str]] = []

    def send(where: Path | None, sender: Path | None, frames: list[str]) -> list[str]:
        ear = subprocess.Popen(
            ["nsenter", f"--net={where}", "python3", "-c", HEAR, MARK], stdout=subprocess.PIPE, text=True
        )
        ears.append(ear)
        assert ear.stdout is not None
        assert ear.stdout.readline() == "ready\n"
        enter(sender, f"python3 -c '{SEND}' {' '.join(frames)}")
        found = []
        while not found or found[-1] != frames[-1]:
            found.append(ear.stdout.readline().strip())
        return found

    yield send
    for ear in ears:
        ear.kill()
        ear.communicate()


def _hex(address: str) -> str:
    return ip_address(address).packed.hex()


def frame(kind: str, ether: str, source: str, arp_mac: str = "") -> str:
    """A broadcast frame of a kind from a MAC and an address, marked."""
    head = "ff" * 6 + ether.replace(":", "")
    if kind == "ip":
        words = struct.unpack(">10H", bytes.fromhex(f"4500001d0000000040fd0000{_hex(source)}ffffffff"))
        total = sum(words) % 0xFFFF
        return f"{head}0800" + f"4500001d0000000040fd{0xFFFF - total:04x}{_hex(source)}ffffffff" + MARK
    if kind == "arp":
        return f"{head}0806000108000604" + f"0001{(arp_mac or ether).replace(':', '')}{_hex(source)}" + "0" * 20 + MARK
    if kind == "ip6":
        return f"{head}86dd" + f"600000000009fdff{_hex(source)}{_hex('ff02::1')}" + MARK
    if kind == "ra":
        return f"{head}86dd" + f"6000000000193aff{_hex(source)}{_hex('ff02::1')}8600000040000708" + "0" * 16 + MARK
    return f"{head}{kind}" + MARK.ljust(92, "0")


async def test_n3_a_spoofed_source_is_dropped(bench: Bench, namespace: Namespace, hear: Hear) -> None:
    config = [{"Subnet": "10.66.0.0/24"}, {"Subnet": "fd66::/64"}]
    await bench.service.create({"Name": "net", "EnableIPv6": True, "IPAM": {"Config": config}})
    one, two, three = [await bench.start(name, mode="net") for name in ("one", "two", "three")]
    (mine, mac, six), (other, other_mac, other_six) = (
        (end["IPAddress"], end["MacAddress"], end["GlobalIPv6Address"])
        for end in (one.endpoints["net"], three.endpoints["net"])
    )
    good = [frame("ip6", mac, six), frame("ip6", mac, "fe80::42"), frame("arp", mac, mine), frame("ip", mac, mine)]
    bad = [
        frame("ip", mac, other), frame("ip", other_mac, other), frame("ip", other_mac, mine),
        frame("ip", mac, "10.66.0.1"), frame("arp", mac, other), frame("arp", other_mac, other),
        frame("arp", mac, mine, arp_mac=other_mac), frame("ip6", mac, other_six), frame("ip6", other_mac, "fe80::42"),
        frame("ra", mac, "fe80::42"), frame("88cc", mac, ""),
    ]  # fmt: skip

    async def heard() -> list[str]:
        return await asyncio.to_thread(hear, two.netns_path, one.netns_path, [*bad, *good])

    assert await heard() == good
    await bench.service.close()
    bench.service = bench.make()
    await bench.service.recover([record for record in bench.containers if record.state.alive])
    assert await heard() == good
    bench.unwatched()
    namespace.sh("nft flush ruleset")
    assert len(await heard()) > len(good)
    ops = bench.service.ops
    assert await ops.workers.run(ops.rules.restore)
    assert await heard() == good


async def test_n3_a_network_joined_later(bench: Bench, hear: Hear) -> None:
    await bench.service.create({"Name": "net"})
    one, two = await bench.start("one", mode="net"), await bench.start("two")
    await bench.service.connect("bridge", "one", {})
    await bench.service.disconnect("net", "one")
    enter(one.netns_path, "ip link set eth1 down; ip link set eth1 name eth0; ip link set eth0 up")
    mac = bench.service.endpoint_settings(bench.record("one"))["bridge"]["MacAddress"]
    good = frame("ip", mac, "172.17.0.3")
    sent = [frame("ip", mac, "172.17.0.1"), good]
    assert await asyncio.to_thread(hear, two.netns_path, one.netns_path, sent) == [good]


async def test_a_container_that_is_gone_is_forgotten(bench: Bench, namespace: Namespace) -> None:
    await bench.service.create({"Name": "net"})
    await bench.start("one", mode="net")
    await bench.service.connect("bridge", "one", {})
    await bench.service.disconnect("net", "one")
    assert namespace.sh("nft list table bridge $(nft list tables bridge | cut -d' ' -f3)").count("veth") == 3
    await bench.stop("one")
    assert "veth" not in namespace.sh("nft list ruleset")


async def test_flushed_tables_do_not_stop_a_start(bench: Bench, namespace: Namespace) -> None:
    await bench.start("one")
    bench.unwatched()
    namespace.sh("nft flush ruleset")
    await bench.start("two")
    await bench.stop("one")
    assert "jump guard" in namespace.sh("nft list ruleset")
