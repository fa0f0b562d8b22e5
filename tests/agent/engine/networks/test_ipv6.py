"""IPv6: addresses, ways out, published ports. Ids are of the list of hostile inputs."""

import ipaddress
import time

import pytest

from agent.engine.errors import Denied, Invalid
from tests.agent.engine.networks.bench import Bench, Namespace, enter
from tests.agent.engine.networks.wire import ASK_UDP, ECHO6, SERVER6, Servers, ask, bound

SUBNET = {"Subnet": "fd66::/64", "IPRange": "fd66::a00/120", "Gateway": "fd66::9"}


@pytest.fixture
def far(namespace: Namespace, outside: Namespace) -> Namespace:
    """The other host, with IPv6: fd99::1 (engine) and fd99::2, and a route to the containers."""
    namespace.sh("ip addr add fd99::1/64 dev out0 nodad")
    outside.sh("ip addr add fd99::2/64 dev out0 nodad; ip route add fd66::/64 via fd99::1")
    for _ in range(100):
        if not any("tentative" in one.sh("ip -6 addr show out0") for one in (namespace, outside)):
            return outside
        time.sleep(0.05)
    raise AssertionError("the link's address stays tentative")


def six(**more: object) -> dict[str, object]:
    return {"Name": "six", "EnableIPv6": True, "IPAM": {"Config": [SUBNET]}, **more}


async def test_it_works(bench: Bench, namespace: Namespace, far: Namespace, servers: Servers) -> None:
    record = await bench.service.create(six())
    assert bench.service.inspect(record)["EnableIPv6"]
    one = await bench.start("one", mode="six", ports=bound("8080:80"))
    end = one.endpoints["six"]
    assert (end["GlobalIPv6Address"], end["GlobalIPv6PrefixLen"], end["IPv6Gateway"]) == ("fd66::a00", 64, "fd66::9")
    assert "fd66::a00\t" in one.hosts_path.read_text()
    assert "default via fd66::9 dev eth0" in enter(one.netns_path, "ip -6 route")
    assert "fd66::9/64" in namespace.sh("ip addr")
    two = await bench.start("two", mode="six", endpoints={"six": {"IPAMConfig": {"IPv6Address": "fd66::77"}}})
    assert two.endpoints["six"]["GlobalIPv6Address"] == "fd66::77"
    with pytest.raises(Denied, match="Address already in use"):
        await bench.start("three", mode="six", endpoints={"six": {"IPAMConfig": {"IPv6Address": "fd66::9"}}})
    await servers.serve(one.netns_path, 80, SERVER6)
    await servers.serve(far.path, 90, SERVER6)
    assert "page fd99::1" in await ask(one.netns_path, "fd99::2", 90), "masqueraded"
    assert "page fd66::77" in await ask(two.netns_path, "fd66::a00", 80)
    assert "page fd99::2" in await ask(far.path, "fd99::1", 8080), "rewritten by rule: the client's address is seen"
    assert "page" in await ask(namespace.path, "fd99::1", 8080)
    assert "page" in await ask(namespace.path, "::1", 8080)
    assert "page" in await ask(two.netns_path, "fd99::1", 8080)
    assert "page" in await ask(one.netns_path, "fd99::1", 8080), "a container reaches its own published port"


async def test_n1_no_direct_way_to_a_container(bench: Bench, far: Namespace, servers: Servers) -> None:
    await bench.service.create(six())
    one = await bench.start(
        "one", mode="six", ports={**bound(":81"), "80/tcp": [{"HostIp": "::1", "HostPort": "8080"}]}
    )
    await servers.serve(one.netns_path, 80, SERVER6)
    assert "refused" in await ask(far.path, "fd66::a00", 80)
    assert "refused" in await ask(far.path, "fd99::1", 8080)
    assert "page" in await ask(bench.service.ops.config.netns, "::1", 8080)
    numbers = {binding["HostPort"] for binding in one.ports["81/tcp"] or ()}
    assert (len(one.ports["81/tcp"] or ()), len(numbers)) == (2, 1), "the same number on 0.0.0.0 and [::]"


async def test_udp(bench: Bench, namespace: Namespace, far: Namespace, servers: Servers) -> None:
    await bench.service.create(six())
    one = await bench.start("one", mode="six", ports=bound("8080:80/udp"))
    await servers.serve(one.netns_path, 80, ECHO6)
    assert "echo hello" in await ask(far.path, "fd99::1", 8080, ASK_UDP)
    assert "echo hello" in await ask(namespace.path, "::1", 8080, ASK_UDP)


async def test_without_masquerade(bench: Bench, far: Namespace, servers: Servers) -> None:
    await bench.service.create(six(Options={"com.docker.network.bridge.enable_ip_masquerade": "false"}))
    one = await bench.start("one", mode="six")
    await servers.serve(far.path, 90, SERVER6)
    assert "page fd66::a00" in await ask(one.netns_path, "fd99::2", 90)


async def test_ipv6_alone(bench: Bench, namespace: Namespace, far: Namespace, servers: Servers) -> None:
    record = await bench.service.create(six(EnableIPv4=False))
    assert [plan["Subnet"] for plan in record.ipam["Config"]] == ["fd66::/64"]
    one = await bench.start("one", mode="six", ports=bound("8080:80"))
    assert (one.endpoints["six"]["IPAddress"], one.endpoints["six"]["Gateway"]) == ("", "")
    assert one.ports == {"80/tcp": [{"HostIp": "::", "HostPort": "8080"}]}
    await servers.serve(one.netns_path, 80, SERVER6)
    assert "page fd99::2" in await ask(far.path, "fd99::1", 8080)


async def test_an_own_prefix(bench: Bench) -> None:
    record = await bench.service.create({"Name": "own", "EnableIPv6": True})
    chosen = ipaddress.ip_network(record.ipam["Config"][1]["Subnet"])
    assert chosen.prefixlen == 64
    assert chosen.subnet_of(ipaddress.ip_network("fd00::/8"))  # type: ignore[arg-type]
    second = await bench.service.create({"Name": "second", "EnableIPv6": True})
    assert second.ipam["Config"][1]["Subnet"] != record.ipam["Config"][1]["Subnet"]


async def test_a_subnet_without_ipv6_is_shown_and_not_used(bench: Bench) -> None:
    await bench.service.create({"Name": "four", "IPAM": {"Config": [{"Subnet": "fd66::/64"}]}})
    one = await bench.start("one", mode="four")
    assert one.endpoints["four"]["GlobalIPv6Address"] == ""
    with pytest.raises(Invalid, match="user configured subnets"):
        await bench.start("two", mode="four", endpoints={"four": {"IPAMConfig": {"IPv6Address": "fd66::7"}}})


async def test_n3_no_router_is_believed(bench: Bench) -> None:
    await bench.service.create(six())
    one = await bench.start("one", mode="six")
    assert enter(one.netns_path, "cat /proc/sys/net/ipv6/conf/eth0/accept_ra").strip() == "0"
    four = await bench.start("four")
    await bench.service.connect("six", "four", {})
    assert enter(four.netns_path, "cat /proc/sys/net/ipv6/conf/eth1/accept_ra").strip() == "0"


@pytest.mark.parametrize("mode", ["routed", "nat-unprotected"])
async def test_a_gateway_that_does_not_hide(bench: Bench, far: Namespace, servers: Servers, mode: str) -> None:
    options = {f"com.docker.network.bridge.gateway_mode_ipv{version}": mode for version in (4, 6)}
    await bench.service.create(six(Options=options))
    one = await bench.start("one", mode="six", ports=bound("8080:80"))
    for port in (80, 81):
        await servers.serve(one.netns_path, port, SERVER6)
    assert "page fd99::2" in await ask(far.path, "fd66::a00", 80)
    direct = await ask(far.path, "fd66::a00", 81)
    mapped = await ask(far.path, "fd99::1", 8080)
    if mode == "routed":
        assert ("refused" in direct, "refused" in mapped) == (True, True), "published ports alone, at their own number"
        assert one.ports == {}
        await servers.serve(far.path, 90, SERVER6)
        assert "page fd66::a00" in await ask(one.netns_path, "fd99::2", 90), "not masqueraded"
    else:
        assert ("page" in direct, "page" in mapped) == (True, True)
    await bench.stop("one")
    assert "fd66::a00" not in enter(bench.service.ops.config.netns, "nft list ruleset")


async def test_an_isolated_bridge_has_no_address(bench: Bench, namespace: Namespace) -> None:
    options = {f"com.docker.network.bridge.gateway_mode_ipv{version}": "isolated" for version in (4, 6)}
    await bench.service.create(six(Options=options, Internal=True))
    one = await bench.start("one", mode="six")
    assert "fd66::9" not in namespace.sh("ip addr")
    assert "default" not in enter(one.netns_path, "ip route; ip -6 route")
    assert one.endpoints["six"]["IPv6Gateway"] == ""


async def test_the_host_still_believes_its_routers(bench: Bench, namespace: Namespace, far: Namespace) -> None:
    await bench.service.create(six())
    assert namespace.sh("cat /proc/sys/net/ipv6/conf/all/forwarding").strip() == "1"
    assert namespace.sh("cat /proc/sys/net/ipv6/conf/out0/accept_ra").strip() == "2"
    link = bench.service.find("six").bridge
    assert namespace.sh(f"cat /proc/sys/net/ipv6/conf/{link}/accept_ra").strip() == "0"
