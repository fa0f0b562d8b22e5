import asyncio

import pytest

from agent.engine.errors import Conflict, Denied, EngineError, Invalid, NotFound, System
from tests.agent.engine.networks.bench import Bench, Namespace


async def test_it_works(bench: Bench, namespace: Namespace) -> None:
    record = await bench.service.create({"Name": "net", "Labels": {"a": "b"}})
    assert bench.service.find("net") == bench.service.find(record.id) == bench.service.find(record.id[:12]) == record
    shown = bench.service.inspect(record)
    assert shown["IPAM"] == {
        "Driver": "default", "Options": None, "Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}],
    }  # fmt: skip
    assert (shown["Labels"], shown["Options"], shown["Containers"]) == ({"a": "b"}, {}, {})
    assert f"br-{record.id[:12]}" in namespace.sh("ip addr")
    assert "172.18.0.1/16" in namespace.sh("ip addr")


async def test_as_given(bench: Bench, namespace: Namespace) -> None:
    given = {"Subnet": "10.66.0.0/16", "IPRange": "10.66.5.0/24", "AuxiliaryAddresses": {"router": "10.66.5.1"}}
    options = {"com.docker.network.bridge.name": "lsbr0", "com.docker.network.driver.mtu": "1400"}
    record = await bench.service.create(
        {"Name": "net", "IPAM": {"Driver": "default", "Options": {}, "Config": [given]}, "Options": options}
    )
    assert record.ipam == {"Driver": "default", "Options": {}, "Config": [given]}
    assert record.options == options
    one = await bench.start("one", mode="net")
    assert one.endpoints["net"]["IPAddress"] == "10.66.5.2"
    assert "mtu 1400" in namespace.sh("ip link show lsbr0")


async def test_a_subnet_that_the_host_has_is_left_alone(bench: Bench, namespace: Namespace) -> None:
    namespace.sh("ip link add other type bridge; ip link set other up; ip addr add 172.18.5.5/24 dev other")
    record = await bench.service.create({"Name": "net"})
    assert record.ipam["Config"][0]["Subnet"] == "172.19.0.0/16"


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        ({"Name": "bridge"}, Denied, "operation is not permitted on predefined bridge network"),
        ({"Name": " "}, System, "invalid name"),
        ({"Name": "x", "Driver": "host"}, Denied, 'only one instance of "host" network is allowed'),
        ({"Name": "x", "Driver": "overlay"}, System, "not a swarm manager"),
        ({"Name": "x", "Driver": "nosuch"}, NotFound, 'plugin "nosuch" not found'),
        ({"Name": "x", "ConfigOnly": True, "Internal": True}, Denied, "can only contain network specific fields"),
        ({"Name": "x", "ConfigFrom": {"Network": "q"}}, NotFound, 'configuration network "q" does not exist'),
        ({"Name": "x", "EnableIPv4": False}, Invalid, "IPv4 or IPv6 must be enabled"),
        ({"Name": "x", "Options": {"com.docker.network.driver.mtu": "big"}}, Invalid, "mtu"),
        ({"Name": "x", "Options": {"com.docker.network.bridge.name": "a" * 16}}, Invalid, "15 characters"),
        ({"Name": "x", "IPAM": {"Config": [{"Subnet": "nosuch"}]}}, System, "Invalid subnet nosuch : invalid CIDR"),
        (
            {"Name": "x", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24", "Gateway": "10.2.0.1"}]}},
            System,
            r"failed to allocate gateway \(10.2.0.1\): Requested address is out of range",
        ),
        (
            {"Name": "x", "IPAM": {"Config": [{"Subnet": "10.1.0.0/24", "AuxiliaryAddresses": {"x": "10.1.0.1"}}]}},
            System,
            r"failed to allocate secondary ip address \(x:10.1.0.1\): Address already in use",
        ),
        ({"Name": "x", "IPAM": {"Config": [{"Subnet": "172.17.9.0/24"}]}}, Denied, "Pool overlaps with other one"),
    ],
)
async def test_refusals(bench: Bench, request_: dict[str, object], kind: type[EngineError], words: str) -> None:
    with pytest.raises(kind, match=words):
        await bench.service.create(request_)
    assert [record.name for record in bench.service.list()] == ["bridge", "host", "none"]


async def test_of_two_at_once_one_is_refused(bench: Bench) -> None:
    results = await asyncio.gather(*(bench.service.create({"Name": "net"}) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 3
    assert len([record for record in bench.service.list() if record.name == "net"]) == 1


async def test_many_at_once_do_not_overlap(bench: Bench) -> None:
    records = await asyncio.gather(*(bench.service.create({"Name": f"net{number}"}) for number in range(8)))
    assert len({record.ipam["Config"][0]["Subnet"] for record in records}) == 8


async def test_remove(bench: Bench, namespace: Namespace) -> None:
    record = await bench.service.create({"Name": "net"})
    await bench.start("one", mode="net")
    with pytest.raises(Denied, match=f"network net id {record.id} has active endpoints"):
        await bench.service.remove("net")
    await bench.stop("one")
    await bench.service.remove("net")
    assert "br-" not in namespace.sh("ip link; nft list ruleset")
    with pytest.raises(NotFound, match="network net not found"):
        await bench.service.remove("net")
    with pytest.raises(Denied, match="bridge is a pre-defined network and cannot be removed"):
        await bench.service.remove("bridge")


async def test_prune(bench: Bench) -> None:
    await bench.service.create({"Name": "free"})
    await bench.service.create({"Name": "used"})
    await bench.start("one", mode="used")
    assert await bench.service.prune(lambda _: True) == ["free"]
    assert [record.name for record in bench.service.list()] == ["bridge", "host", "none", "used"]
