"""The default network as an administrator configures it."""

from dataclasses import replace

import pytest

from agent.engine import commandline
from agent.engine.config import DefaultNetwork
from agent.engine.errors import Denied, EngineError, Invalid
from agent.engine.networks.service import NetworkService
from tests.agent.engine.networks.bench import Bench, Namespace, enter
from tests.agent.engine.networks.wire import Servers, ask, bound


async def restart(bench: Bench, *arguments: str, running: bool = False) -> NetworkService:
    """An engine that starts again with other arguments."""
    old = bench.service.ops.config
    await bench.service.close()
    new = commandline.parse(["--root", str(old.root), "--socket", str(old.socket), *arguments])
    made = bench.make()
    made.ops.config = replace(new, netns=old.netns)
    await made.recover([record for record in bench.containers if record.state.alive] if running else [])
    bench.service = made
    return made


async def test_it_works(bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers) -> None:
    await bench.start("one")
    await bench.stop("one")
    assert "172.17.0.1/16" in namespace.sh("ip addr show longshore0")
    before = bench.service.find("bridge").id
    arguments = ["--bip", "10.66.0.1/24", "--fixed-cidr", "10.66.0.128/25", "--fixed-cidr-v6", "fd66::/64"]
    await restart(bench, *arguments, "--mtu", "1400", "--ip", "127.0.0.1", "--no-icc", "--no-ip-masq")
    record = bench.service.find("bridge")
    assert record.id == before
    assert bench.service.inspect(record)["IPAM"]["Config"] == [
        {"Subnet": "10.66.0.0/24", "Gateway": "10.66.0.1", "IPRange": "10.66.0.128/25"},
        {"Subnet": "fd66::/64", "Gateway": "fd66::1"},
    ]
    one = await bench.start("one", ports=bound("8080:80"))
    end = one.endpoints["bridge"]
    assert (end["IPAddress"], end["Gateway"], end["GlobalIPv6Address"]) == ("10.66.0.128", "10.66.0.1", "fd66::2")
    assert one.ports == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    assert "172.17.0.1" not in namespace.sh("ip addr show longshore0"), "the link is of the new settings"
    assert "mtu 1400" in enter(one.netns_path, "ip link show eth0")
    await servers.serve(outside.path, 90)
    outside.sh("ip route add 10.66.0.0/24 via 10.99.0.1")
    assert "page 10.66.0.128" in await ask(one.netns_path, "10.99.0.2", 90), "not masqueraded"


async def test_the_same_again_changes_nothing(bench: Bench) -> None:
    before = bench.service.find("bridge")
    await restart(bench)
    assert bench.service.find("bridge") == before


async def test_not_under_a_running_container(bench: Bench) -> None:
    one = await bench.start("one")
    await restart(bench, "--bip", "10.66.0.1/24", running=True)
    assert bench.service.find("bridge").ipam["Config"][0]["Subnet"] == "172.17.0.0/16"
    assert "172.17.0.2" in enter(one.netns_path, "ip addr")
    await bench.stop("one")
    await restart(bench, "--bip", "10.66.0.1/24")
    assert (await bench.start("one")).endpoints["bridge"]["IPAddress"] == "10.66.0.2"


async def test_a_subnet_of_another_network(bench: Bench) -> None:
    await bench.service.create({"Name": "net", "IPAM": {"Config": [{"Subnet": "10.66.0.0/16"}]}})
    with pytest.raises(Denied, match="Pool overlaps"):
        await restart(bench, "--bip", "10.66.0.1/24")
    await restart(bench)


async def test_n2_the_default_address_of_published_ports(bench: Bench) -> None:
    await restart(bench, "--ip", "127.0.0.1")
    await bench.service.create({"Name": "net"})
    for name, mode in (("one", "default"), ("two", "net")):
        one = await bench.start(name, mode=mode, ports=bound(":80"))
        assert [binding["HostIp"] for binding in one.ports["80/tcp"] or ()] == ["127.0.0.1"]


def test_settings() -> None:
    base = ["--root", "/x", "--socket", "/y"]
    assert commandline.parse(base).default_network == DefaultNetwork()
    pools = commandline.parse([*base, "--default-address-pool", "10.0.0.0/8:24"]).address_pools
    assert pools == ("10.0.0.0/8:24",)


@pytest.mark.parametrize(
    "option",
    ["--ip=x", "--bip=10.0.0.0/99", "--fixed-cidr=x", "--fixed-cidr-v6=10.0.0.0/8", "--default-address-pool=10.0.0.0"],
)
def test_bad_settings(option: str) -> None:
    kind: type[EngineError] = Invalid
    with pytest.raises(kind, match="an address of a network is none"):
        commandline.parse(["--root", "/x", "--socket", "/y", option])
