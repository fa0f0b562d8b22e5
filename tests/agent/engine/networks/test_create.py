import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent.engine.errors import Conflict, Denied, EngineError, Invalid, NotFound, System, Unavailable
from agent.engine.networks.endpoint import Endpoint
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
        (
            {"Name": "x", "Options": {"com.docker.network.bridge.name": "a" * 16}},
            Invalid,
            "numerical result out of range",
        ),
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


async def test_256_networks(bench: Bench) -> None:
    """The pools hold some thirty; who wants more names subnets. What fails leaves nothing."""
    made = [await bench.service.ops.catalogue.create({"Name": f"pool{number}"}) for number in range(30)]
    with pytest.raises(Unavailable, match="could not find an available, non-overlapping address pool among the def"):
        await bench.service.create({"Name": "late"})
    for number in range(256 - len(made)):
        config = {"Subnet": f"10.66.{number}.0/24"}
        made.append(await bench.service.ops.catalogue.create({"Name": f"own{number}", "IPAM": {"Config": [config]}}))
    assert len({subnet["Subnet"] for record in made for subnet in record.subnets}) == 256
    assert len(bench.service.list()) == 256 + 3
    with pytest.raises(Denied, match="Pool overlaps with other one on this address space"):
        await bench.service.create({"Name": "x", "IPAM": {"Config": [{"Subnet": "10.66.128.0/20"}]}})
    one = await bench.start("one", mode="own200")
    assert one.endpoints["own200"]["IPAddress"] == "10.66.200.2"


async def test_a_full_network_leaves_no_partial_container(bench: Bench, namespace: Namespace) -> None:
    await bench.service.create({"Name": "net", "IPAM": {"Config": [{"Subnet": "10.66.0.0/29"}]}})
    for number in range(5):
        await bench.start(f"c{number}", mode="net")
    before = namespace.sh("ip -o link | wc -l; nft list ruleset | wc -l")
    with pytest.raises(Unavailable, match="no available IPv4 addresses on this network's address pools: net"):
        await bench.start("late", mode="net", ports={"80/tcp": [{"HostPort": "8080"}]})
    assert namespace.sh("ip -o link | wc -l; nft list ruleset | wc -l") == before
    assert len(list(bench.paths.namespaces.iterdir())) == 5
    await bench.stop("c2")
    assert (await bench.start("late", mode="net")).endpoints["net"]["IPAddress"] == "10.66.0.4"


async def test_no_address_twice(bench: Bench) -> None:
    """10,000 taken and given back by 8 threads."""
    catalogue = bench.service.ops.catalogue
    record = await catalogue.create({"Name": "net", "IPAM": {"Config": [{"Subnet": "10.66.0.0/24"}]}})
    held: dict[object, int] = {}
    twice: list[object] = []
    lock = threading.Lock()

    def work(number: int) -> None:
        for turn in range(1250):
            assigned = catalogue.assign(record, {})
            address = assigned[0].address
            with lock:
                if address in held:
                    twice.append(address)
                held[address] = number
            if turn % 3:
                time.sleep(0)
            with lock:
                del held[address]
            catalogue.give_back(Endpoint(record.id, "net", "bridge", {}, addresses=assigned))

    with ThreadPoolExecutor(8) as pool:
        await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, work, number) for number in range(8)))
    assert (twice, held) == ([], {})
    assert str(catalogue.assign(record, {})[0].address) == "10.66.0.2"
