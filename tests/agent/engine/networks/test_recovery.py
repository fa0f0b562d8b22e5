"""After the engine was killed: a second service over the same records."""

import pytest

from agent.engine.errors import System
from agent.engine.kernel import namespaces
from tests.agent.engine.networks.bench import Bench, Namespace, enter
from tests.agent.engine.networks.test_names import ask as resolve
from tests.agent.engine.networks.test_names import values
from tests.agent.engine.networks.wire import Servers, ask, bound


async def killed(bench: Bench) -> None:
    """As kill -9 leaves it: sockets closed, nothing released; then a new engine."""
    await bench.service.close()
    bench.service = bench.make()
    await bench.service.recover([record for record in bench.containers if record.state.alive])


async def test_it_works(bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers) -> None:
    await bench.service.create({"Name": "net"})
    one = await bench.start("one", mode="net", ports=bound("8080:80", ":81"))
    two = await bench.start("two", mode="net")
    await servers.serve(one.netns_path, 80)
    before = namespace.sh("ip -o link | grep veth"), enter(one.netns_path, "ip addr")
    await killed(bench)
    assert (namespace.sh("ip -o link | grep veth"), enter(one.netns_path, "ip addr")) == before
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.1", 8080)
    assert "page" in await ask(namespace.path, "::1", 8080)
    assert values(await resolve(two.netns_path, "one")) == [one.endpoints["net"]["IPAddress"]]
    assert bench.service.endpoint_settings(bench.record("one")) == one.endpoints
    assert bench.service.network_settings(bench.record("one"))["Ports"] == one.ports
    with pytest.raises(System, match="port is already allocated"):
        await bench.start("three", ports=bound("8080:80"))
    three = await bench.start("three", mode="net")
    assert three.endpoints["net"]["IPAddress"] not in {
        one.endpoints["net"]["IPAddress"],
        two.endpoints["net"]["IPAddress"],
    }
    await bench.stop("one")
    assert "8080" not in namespace.sh("nft list ruleset; ss -Hltn")


async def test_connect_after_it(bench: Bench) -> None:
    for name in ("a", "b", "c"):
        await bench.service.create({"Name": name})
    one = await bench.start("one", mode="a", endpoints={"a": {}, "b": {}})
    await bench.service.disconnect("a", "one")
    await killed(bench)
    await bench.service.connect("c", "one", {})
    assert "eth0" in enter(one.netns_path, "ip link")
    await bench.service.disconnect("b", "one")
    assert "default via" in enter(one.netns_path, "ip route")


async def test_what_dead_containers_left_is_removed(bench: Bench, namespace: Namespace) -> None:
    await bench.start("one", ports=bound("8080:80"))
    await bench.start("two")
    record = bench.record("one")
    await bench.containers.delete(record.id)
    namespaces.make_network(bench.paths.namespaces / "half")
    table = bench.service.ops.rules.table
    namespace.sh(
        f"ip link add forgotten type bridge; ip link add theirs type bridge; ip link set forgotten alias {table}"
    )
    await killed(bench)
    assert [path.name for path in bench.paths.namespaces.iterdir()] == [bench.record("two").id]
    assert "8080" not in namespace.sh("nft list ruleset; ss -Hltn")
    assert namespace.sh("ip -o link | grep -c veth").strip() == "1"
    assert "theirs" in namespace.sh("ip link")
    assert "forgotten" not in namespace.sh("ip link")
    four = await bench.start("four")
    assert four.endpoints["bridge"]["IPAddress"] == "172.17.0.2"


async def test_many_dead_containers_at_once(bench: Bench, namespace: Namespace) -> None:
    """Their links are going by themselves while the engine removes them."""
    await bench.start("alive")
    for number in range(15):
        await bench.start(f"c{number}")
        await bench.containers.delete(bench.record(f"c{number}").id)
    await killed(bench)
    assert namespace.sh("ip -o link | grep -c veth").strip() == "1"


async def test_nothing_ran(bench: Bench, namespace: Namespace) -> None:
    await bench.start("one")
    await bench.stop("one")
    await killed(bench)
    assert "longshore" not in namespace.sh("nft list ruleset")
    one = await bench.start("one")
    assert "default via 172.17.0.1" in enter(one.netns_path, "ip route")
