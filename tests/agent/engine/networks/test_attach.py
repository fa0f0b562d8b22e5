import asyncio
import time

import pytest

from agent.engine.errors import Conflict, NotFound, System
from agent.engine.networks.requests import SandboxRequest
from tests.agent.engine.networks.bench import Bench, Namespace, enter

HTTP = "busybox httpd -p 80 -h /nonexistent; sleep 0.1"


async def test_default_bridge(bench: Bench, namespace: Namespace) -> None:
    one = await bench.start("one")
    assert one.endpoints["bridge"]["IPAddress"] == "172.17.0.2"
    assert one.endpoints["bridge"]["MacAddress"] == "02:42:ac:11:00:02"
    assert "172.17.0.2/16" in enter(one.netns_path, "ip -4 addr show eth0")
    assert "default via 172.17.0.1" in enter(one.netns_path, "ip route")
    assert "inet6" not in enter(one.netns_path, "ip addr")
    two = await bench.start("two")
    assert two.endpoints["bridge"]["IPAddress"] == "172.17.0.3"
    assert "longshore0" in namespace.sh("ip link show type bridge")
    assert "172.17.0.2\t" in one.hosts_path.read_text()
    assert one.hostname_path.read_text().strip() == bench.record("one").id[:12]
    assert "nameserver" in one.resolv_path.read_text()


async def test_the_bridge_is_made_by_the_first_container(bench: Bench, namespace: Namespace) -> None:
    assert "longshore0" not in namespace.sh("ip link")
    await bench.start("none", mode="none")
    assert "longshore0" not in namespace.sh("ip link")
    await bench.start("one")
    assert "longshore0" in namespace.sh("ip link")


async def test_release_leaves_nothing(bench: Bench, namespace: Namespace) -> None:
    await bench.start("one", ports={"80/tcp": [{"HostPort": "8080"}]})
    await bench.stop("one")
    assert list(bench.paths.namespaces.iterdir()) == []
    assert "8080" not in namespace.sh("nft list ruleset; ss -Hltn")
    for _ in range(100):
        if "veth" not in namespace.sh("ip link"):
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the link stayed")
    again = await bench.start("one", ports={"80/tcp": [{"HostPort": "8080"}]})
    assert again.endpoints["bridge"]["IPAddress"] == "172.17.0.2"


async def test_release_twice_and_of_nobody(bench: Bench) -> None:
    await bench.start("one")
    await bench.stop("one")
    await bench.stop("one")
    await bench.service.release("nobody")


async def test_host(bench: Bench, namespace: Namespace) -> None:
    one = await bench.start("one", mode="host")
    assert one.netns_path == namespace.path
    assert list(one.endpoints) == ["host"]
    assert one.endpoints["host"]["IPAddress"] == ""
    assert one.ports == {}


async def test_none(bench: Bench) -> None:
    one = await bench.start("one", mode="none")
    assert enter(one.netns_path, "ip -o link").count("\n") == 1
    assert "127.0.0.1/8" in enter(one.netns_path, "ip addr")


async def test_container(bench: Bench) -> None:
    one = await bench.start("one")
    two = await bench.start("two", mode="container:one")
    assert two.netns_path == one.netns_path
    assert two.hosts_path == one.hosts_path
    await bench.stop("one")
    with pytest.raises(Conflict, match="cannot join network of a non running container: "):
        await bench.start("three", mode="container:one")
    with pytest.raises(NotFound, match="No such container: nosuch"):
        await bench.start("three", mode="container:nosuch")


async def test_an_unknown_network(bench: Bench) -> None:
    with pytest.raises(NotFound, match="network nosuch not found"):
        await bench.start("one", mode="nosuch")
    assert list(bench.paths.namespaces.iterdir()) == []


async def test_a_failure_leaves_nothing(bench: Bench, namespace: Namespace) -> None:
    await bench.start("one", ports={"80/tcp": [{"HostPort": "8080"}]})
    wanted = {"80/tcp": [{"HostPort": "8081"}], "81/tcp": [{"HostPort": "8080"}]}
    with pytest.raises(System, match=r"Bind for 0\.0\.0\.0:8080 failed: port is already allocated"):
        await bench.start("two", ports=wanted)
    assert len(list(bench.paths.namespaces.iterdir())) == 1
    assert "8081" not in namespace.sh("nft list ruleset; ss -Hltn")
    two = await bench.start("two", ports={"80/tcp": [{"HostPort": "8081"}]})
    assert two.endpoints["bridge"]["IPAddress"] == "172.17.0.3"


async def test_it_is_fast(bench: Bench) -> None:
    await bench.start("first")
    spent = []
    for number in range(20):
        started = time.perf_counter()
        await bench.service.attach(_request(number))
        spent.append(time.perf_counter() - started)
    assert min(spent) < 0.03
    for number in range(20):
        await bench.service.release(_request(number).container_id)


def _request(number: int) -> SandboxRequest:

    return SandboxRequest(container_id=f"{number:064x}", name=f"fast{number}", hostname="fast")


async def test_events(bench: Bench) -> None:
    record = await bench.service.create({"Name": "net"})
    await bench.start("one", mode="net")
    await bench.stop("one")
    await bench.service.remove("net")
    container_id = bench.record("one").id
    assert [
        (event["Action"], event["Actor"]["ID"], event["Actor"]["Attributes"]) for event in bench.events.history()
    ] == [
        ("create", record.id, {"name": "net", "type": "bridge"}),
        ("connect", record.id, {"container": container_id, "name": "net", "type": "bridge"}),
        ("disconnect", record.id, {"container": container_id, "name": "net", "type": "bridge"}),
        ("destroy", record.id, {"name": "net", "type": "bridge"}),
    ]


async def test_host_gateway(bench: Bench, namespace: Namespace) -> None:
    await bench.service.create({"Name": "net"})
    request = SandboxRequest(
        container_id="a" * 64, name="one", hostname="one", network_mode="net", extra_hosts=("host:host-gateway",)
    )
    one = await bench.service.attach(request)
    assert "172.17.0.1\thost\n" in one.hosts_path.read_text()
    assert "172.17.0.1/16" in namespace.sh("ip addr"), "the address that was promised is there"
    await bench.service.release(request.container_id)
