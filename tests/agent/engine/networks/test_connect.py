import pytest

from agent.engine.errors import Denied, Invalid, NotFound, System
from agent.engine.networks.requests import SandboxRequest
from tests.agent.engine.networks.bench import Bench, enter


@pytest.fixture
async def net(bench: Bench) -> str:
    config = {"Subnet": "10.66.0.0/24", "Gateway": "10.66.0.9"}
    await bench.service.create({"Name": "net", "IPAM": {"Config": [config]}})
    return "net"


async def test_a_running_container(bench: Bench, net: str) -> None:
    one = await bench.start("one")
    await bench.service.connect(net, "one", {"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "10.66.0.77"}})
    assert "10.66.0.77/24" in enter(one.netns_path, "ip addr show eth1")
    assert "default via 172.17.0.1" in enter(one.netns_path, "ip route")
    settings = bench.service.endpoint_settings(bench.record("one"))
    assert settings["net"]["Aliases"] == ["web", bench.record("one").id[:12]]
    assert settings["net"]["MacAddress"] == "02:42:0a:42:00:4d"
    assert "10.66.0.77\t" in one.hosts_path.read_text()
    assert "127.0.0.11" in one.resolv_path.read_text()
    await bench.service.disconnect("bridge", "one")
    assert "default via 10.66.0.9" in enter(one.netns_path, "ip route")
    assert "172.17.0.2\t" not in one.hosts_path.read_text()
    assert list(bench.service.endpoint_settings(bench.record("one"))) == ["net"]
    assert [(event["Action"], event["Actor"]["Attributes"]["name"]) for event in bench.events.history()][1:] == [
        ("connect", "bridge"), ("connect", "net"), ("disconnect", "bridge"), ("disconnect", "bridge"),
    ]  # fmt: skip


async def test_a_container_that_does_not_run(bench: Bench, net: str) -> None:
    await bench.start("one")
    await bench.stop("one")
    await bench.service.connect(net, "one", None)
    assert sorted(bench.record("one").endpoints_config) == ["bridge", "net"]
    assert sorted(bench.service.endpoint_settings(bench.record("one"))) == ["bridge", "net"]
    await bench.service.disconnect("bridge", "one")
    assert sorted(bench.record("one").endpoints_config) == ["net"]


async def test_the_only_network(bench: Bench) -> None:
    """A container that was taken out of it starts without any, as with dockerd."""
    await bench.start("one")
    await bench.stop("one")
    await bench.service.disconnect("bridge", "one")
    assert bench.service.endpoint_settings(bench.record("one")) == {}
    again = await bench.service.attach(SandboxRequest.of(bench.record("one")))
    assert again.endpoints == again.ports == {}
    assert "eth0" not in enter(again.netns_path, "ip link")
    await bench.service.connect("bridge", "one", {})
    assert "172.17.0.2/16" in enter(again.netns_path, "ip addr show eth0")
    await bench.service.disconnect("bridge", "one")
    await bench.stop("one")
    again = await bench.service.attach(SandboxRequest.of(bench.record("one")))
    assert again.endpoints == {}
    await bench.stop("one")
    await bench.service.connect("bridge", "one", {})
    again = await bench.service.attach(SandboxRequest.of(bench.record("one")))
    assert list(again.endpoints) == ["bridge"]


async def test_several_at_once(bench: Bench, net: str) -> None:
    await bench.service.create({"Name": "other", "IPAM": {"Config": [{"Subnet": "10.67.0.0/24"}]}})
    one = await bench.start("one", mode="other", endpoints={"other": {}, "net": {"MacAddress": "02:42:00:00:00:99"}})
    assert "10.67.0.2/24" in enter(one.netns_path, "ip addr show eth0")
    assert "02:42:00:00:00:99" in enter(one.netns_path, "ip addr show eth1")


async def test_a_network_by_its_id(bench: Bench, net: str) -> None:
    network = bench.service.find(net)
    one = await bench.start("one", mode=network.id, endpoints={"net": {"Aliases": ["web"]}})
    assert list(one.endpoints) == ["net"]
    assert one.endpoints["net"]["Aliases"] == ["web", bench.record("one").id[:12]]
    await bench.stop("one")
    assert list(bench.service.endpoint_settings(bench.record("one"))) == ["net"]


async def test_refusals(bench: Bench, net: str) -> None:
    await bench.start("one", mode=net)
    await bench.start("host", mode="host")
    await bench.start("none", mode="none")
    with pytest.raises(Denied, match="endpoint with name one already exists in network net"):
        await bench.service.connect(net, "one", {})
    with pytest.raises(Invalid, match="cannot be disconnected from host network or connected to host network"):
        await bench.service.connect("host", "one", {})
    with pytest.raises(Invalid, match="cannot be disconnected from host network or connected to host network"):
        await bench.service.disconnect("host", "host")
    with pytest.raises(Invalid, match="container sharing network namespace with another container or host cannot be"):
        await bench.service.connect(net, "host", {})
    with pytest.raises(Invalid, match="cannot be connected to multiple networks"):
        await bench.service.connect("none", "one", {})
    with pytest.raises(Invalid, match="cannot be connected to multiple networks"):
        await bench.service.connect(net, "none", {})
    with pytest.raises(NotFound, match="No such container: nosuch"):
        await bench.service.connect(net, "nosuch", {})
    with pytest.raises(NotFound, match="endpoint nosuch not found"):
        await bench.service.disconnect(net, "nosuch", force=True)
    with pytest.raises(NotFound, match="network nosuch not found"):
        await bench.service.connect("nosuch", "one", {})
    with pytest.raises(System, match="is not connected to network bridge"):
        await bench.service.disconnect("bridge", "one")
    with pytest.raises(System, match="is not connected to network host"):
        await bench.service.disconnect("host", "one")
    with pytest.raises(Invalid, match='invalid name or ID supplied: ""'):
        await bench.service.connect(net, "", {})


async def test_static_addresses(bench: Bench, net: str) -> None:
    await bench.start("one", mode=net, endpoints={net: {"IPAMConfig": {"IPv4Address": "10.66.0.77"}}})
    for address, error, words in (
        ("10.66.0.77", Denied, "Address already in use"),
        ("10.66.0.9", Denied, "Address already in use"),
        ("10.99.0.1", System, "Invalid address 10.99.0.1: It does not belong to any of this network's subnets"),
    ):
        with pytest.raises(error, match=words):
            await bench.start("two", mode=net, endpoints={net: {"IPAMConfig": {"IPv4Address": address}}})
    with pytest.raises(Invalid, match="user defined networks only"):
        await bench.start("two", endpoints={"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.9"}}})
    await bench.service.create({"Name": "auto"})
    with pytest.raises(Invalid, match="networks with user configured subnets"):
        await bench.start("two", mode="auto", endpoints={"auto": {"IPAMConfig": {"IPv4Address": "172.18.0.9"}}})


async def test_a_container_that_has_left_none(bench: Bench, net: str) -> None:
    one = await bench.start("one", mode="none")
    await bench.service.disconnect("none", "one")
    await bench.service.connect(net, "one", {})
    assert "10.66.0.2" in enter(one.netns_path, "ip addr")
    again = await bench.service.attach(SandboxRequest.of(bench.record("one")))
    assert list(again.endpoints) == [net]
