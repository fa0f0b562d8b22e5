"""What a container asks of a network: names and settings of its link, further addresses, the default route, ports."""

from typing import Any

import pytest

from agent.engine.errors import Invalid
from agent.engine.networks.requests import check_endpoints
from tests.agent.engine.networks.bench import Bench, Namespace, enter
from tests.agent.engine.networks.wire import Servers, ask, bound

SYSCTLS = "com.docker.network.endpoint.sysctls"


def net(name: str, third: int, **options: str) -> dict[str, object]:
    return {"Name": name, "IPAM": {"Config": [{"Subnet": f"10.66.{third}.0/24"}]}, "Options": options}


async def test_names_of_links(bench: Bench) -> None:
    await bench.service.create(net("net", 0, **{"com.docker.network.container_iface_prefix": "wan"}))
    one = await bench.start("one", mode="net")
    await bench.service.connect("bridge", "one", {"DriverOpts": {"com.docker.network.endpoint.ifname": "inner"}})
    shown = enter(one.netns_path, "ip -o link")
    assert ("wan0@" in shown, "inner@" in shown) == (True, True)
    await bench.service.close()
    bench.service = bench.make()
    await bench.service.recover([bench.record("one")])
    await bench.service.disconnect("bridge", "one")
    assert "inner@" not in enter(one.netns_path, "ip -o link")


async def test_settings_of_a_link(bench: Bench) -> None:
    options = {SYSCTLS: "net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.ifname.forwarding=0"}
    one = await bench.start("one", endpoints={"bridge": {"DriverOpts": options}})
    assert enter(one.netns_path, "cat /proc/sys/net/ipv4/conf/eth0/log_martians").strip() == "1"
    assert one.endpoints["bridge"]["DriverOpts"] == options


@pytest.mark.parametrize(
    "text",
    [
        "net.ipv4.conf.eth0.forwarding=1", "kernel.core_pattern=x", "net.ipv4.conf.IFNAME.forwarding",
        "net.ipv4.conf.IFNAME.../../../../kernel/core_pattern=x", "net.ipv4.../kernel.IFNAME.x=1", "x",
    ],
)  # fmt: skip
def test_s9_no_other_setting_is_reached(text: str) -> None:
    with pytest.raises(Invalid, match="unrecognised network interface sysctl"):
        check_endpoints({"net": {"DriverOpts": {SYSCTLS: text}}})


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"MacAddress": "zz"}, "invalid MAC address: zz"),
        ({"IPAMConfig": {"LinkLocalIPs": ["foo"]}}, "invalid link-local IP address: foo"),
        ({"IPAMConfig": {"IPv4Address": "fd00::1"}}, "invalid IPv4 address: fd00::1"),
    ],
)
async def test_refusals(bench: Bench, config: dict[str, Any], words: str) -> None:
    await bench.service.create(net("net", 0))
    one = await bench.start("one")
    with pytest.raises(Invalid, match=words):
        await bench.service.connect("net", "one", config)
    assert "eth1" not in enter(one.netns_path, "ip link")
    assert list(bench.service.ops.live[bench.record("one").id].endpoints) == ["bridge"]


async def test_link_local_addresses(bench: Bench, servers: Servers) -> None:
    await bench.service.create(net("net", 0))
    config = {"IPAMConfig": {"IPv4Address": "10.66.0.9", "LinkLocalIPs": ["169.254.7.7"]}}
    one = await bench.start("one", mode="net", endpoints={"net": config})
    two = await bench.start("two", mode="net", endpoints={"net": {"IPAMConfig": {"LinkLocalIPs": ["169.254.7.8"]}}})
    shown = enter(one.netns_path, "ip addr show eth0")
    assert ("10.66.0.9/24" in shown, "169.254.7.7/16" in shown) == (True, True)
    assert one.endpoints["net"]["IPAMConfig"] == config["IPAMConfig"]
    await servers.serve(one.netns_path, 80)
    assert "page 169.254.7.8" in await ask(two.netns_path, "169.254.7.7", 80), "the guard knows them too"


async def test_the_default_route(bench: Bench) -> None:
    """By priority, then not internal, then by name: as dockerd ranks them."""
    await bench.service.create(net("alpha", 1) | {"Internal": True})
    await bench.service.create(net("beta", 2))
    await bench.service.create(net("gamma", 3))
    one = await bench.start("one", mode="gamma")

    def gateway() -> str:
        return enter(one.netns_path, "ip route show default").split()[2]

    assert gateway() == "10.66.3.1"
    await bench.service.connect("alpha", "one", {})
    assert gateway() == "10.66.3.1"
    await bench.service.connect("beta", "one", {})
    assert gateway() == "10.66.2.1"
    await bench.service.connect("bridge", "one", {"GwPriority": 1})
    assert gateway() == "172.17.0.1"
    await bench.service.disconnect("bridge", "one")
    await bench.service.disconnect("beta", "one")
    await bench.service.disconnect("gamma", "one")
    assert gateway() == "10.66.1.1"
    await bench.stop("one")
    two = await bench.start("two", mode="alpha", endpoints={"alpha": {"GwPriority": 9}, "gamma": {}})
    assert enter(two.netns_path, "ip route show default").split()[2] == "10.66.1.1"


async def test_ports_follow_the_first_network(bench: Bench, outside: Namespace, servers: Servers) -> None:
    await bench.service.create(net("alpha", 1))
    await bench.service.create(net("inner", 2) | {"Internal": True})
    one = await bench.start("one", mode="inner", ports=bound(":80"))
    await servers.serve(one.netns_path, 80)
    assert bench.record("one").network.ports == {}
    await bench.service.connect("bridge", "one", {})
    number = int((bench.record("one").network.ports["80/tcp"] or [])[0]["HostPort"])
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.1", number)
    await bench.service.connect("alpha", "one", {})
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.1", number), "now by way of alpha"
    await bench.service.disconnect("bridge", "one")
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.1", number)
    assert "page" in await ask(bench.service.ops.config.netns, "::1", number)
    await bench.service.disconnect("alpha", "one")
    assert bench.record("one").network.ports == {}
    assert "refused" in await ask(outside.path, "10.99.0.1", number)
    assert f":{number} " not in enter(bench.service.ops.config.netns, "ss -Hltn")


async def test_where_ports_are_bound(bench: Bench, outside: Namespace, servers: Servers) -> None:
    await bench.service.create(net("net", 0, **{"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}))
    one = await bench.start("one", mode="net", ports=bound("8080:80", "0.0.0.0:8081:81"))
    assert one.ports["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "8080"}]
    assert one.ports["81/tcp"] == [{"HostIp": "0.0.0.0", "HostPort": "8081"}]
    await servers.serve(one.netns_path, 80)
    assert "refused" in await ask(outside.path, "10.99.0.1", 8080)
    assert "page" in await ask(bench.service.ops.config.netns, "127.0.0.1", 8080)


async def test_the_address_of_what_leaves(
    bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers
) -> None:
    namespace.sh("ip addr add 10.99.0.77/24 dev out0")
    await bench.service.create(net("net", 0, **{"com.docker.network.host_ipv4": "10.99.0.77"}))
    one = await bench.start("one", mode="net")
    await servers.serve(outside.path, 90)
    assert "page 10.99.0.77" in await ask(one.netns_path, "10.99.0.2", 90)


async def test_a_bridge_of_the_users_own_stays(bench: Bench, namespace: Namespace) -> None:
    namespace.sh(
        "ip link add theirs type bridge; ip link add leg0 type veth peer name leg1; ip link set leg0 master theirs"
    )
    await bench.service.create(net("net", 0, **{"com.docker.network.bridge.name": "theirs"}))
    one = await bench.start("one", mode="net")
    assert "10.66.0.2" in enter(one.netns_path, "ip addr")
    await bench.service.close()
    bench.service = bench.make()
    await bench.service.recover([bench.record("one")])
    assert "leg0" in namespace.sh("ip link"), "not one of ours"
    await bench.stop("one")
    await bench.service.remove("net")
    assert "theirs" in namespace.sh("ip link")
