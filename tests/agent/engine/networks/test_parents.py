"""macvlan and ipvlan: containers that stand on a link of the host's, beside it.

``outside`` is another machine of that wire. What a kernel cannot do (VLANs, ipvlan) is refused in dockerd's words there
and tested for real where it can: ``tests/vm.sh -m links``.
"""

import json

import pytest

from agent.engine.errors import Denied, System
from tests.agent.engine.networks.bench import Bench, Namespace, enter
from tests.agent.engine.networks.test_names import ask as ask_name
from tests.agent.engine.networks.test_names import values
from tests.agent.engine.networks.wire import Servers, ask, bound

WIRE = {"Subnet": "10.99.0.0/24", "IPRange": "10.99.0.128/25", "Gateway": "10.99.0.2"}


def able(namespace: Namespace, kind: str) -> bool:
    """The kernel knows links of this kind."""
    more = "id 7" if kind == "vlan" else ""
    words = namespace.sh(f"ip link add try0 link out0 type {kind} {more} && ip link del try0", check=False)
    return "not supported" not in words and "Unknown" not in words


def make(name: str = "wire", driver: str = "macvlan", **options: str) -> dict[str, object]:
    return {"Name": name, "Driver": driver, "Options": options, "IPAM": {"Config": [WIRE]}}


def routes(sandbox: object) -> list[str]:
    return enter(sandbox.netns_path, "ip route show default").split()[:5]  # type: ignore[attr-defined]


async def test_it_works(bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers) -> None:
    record = await bench.service.create(make(parent="out0"))
    assert bench.service.inspect(record)["Options"] == {"parent": "out0"}
    one = await bench.start("one", mode="wire", ports=bound("8080:80"))
    two = await bench.start("two", mode="wire", endpoints={"wire": {"MacAddress": "02:AA:00:00:00:07"}})
    end = one.endpoints["wire"]
    assert (end["IPAddress"], end["Gateway"], end["IPPrefixLen"]) == ("10.99.0.128", "10.99.0.2", 24)
    assert end["MacAddress"] == "02:42:0a:63:00:80"
    assert two.endpoints["wire"]["MacAddress"] == "02:aa:00:00:00:07"
    assert one.ports == {}, "dockerd publishes nothing there"
    assert "macvlan" in enter(one.netns_path, "ip -d link show eth0")
    assert "02:aa:00:00:00:07" in enter(two.netns_path, "ip link show eth0")
    assert routes(one) == ["default", "via", "10.99.0.2", "dev", "eth0"]
    await servers.serve(outside.path, 90)
    await servers.serve(one.netns_path, 80)
    assert "page 10.99.0.128" in await ask(one.netns_path, "10.99.0.2", 90), "seen under its own address"
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.128", 80)
    assert "page" in await ask(two.netns_path, "10.99.0.128", 80)
    assert values(await ask_name(two.netns_path, "one")) == ["10.99.0.128"]
    await bench.stop("one")
    await bench.stop("two")
    await bench.service.remove("wire")
    assert "out0" in namespace.sh("ip link"), "a parent that was there before stays"


async def test_a_running_container_comes_and_goes(bench: Bench, outside: Namespace) -> None:
    await bench.service.create(make(parent="out0"))
    one = await bench.start("one")
    await bench.service.connect("wire", "one", {"IPAMConfig": {"IPv4Address": "10.99.0.200"}})
    assert "10.99.0.200/24" in enter(one.netns_path, "ip addr show eth1")
    assert routes(one)[2] == "172.17.0.1"
    await bench.service.disconnect("wire", "one")
    assert "eth1" not in enter(one.netns_path, "ip link")
    await bench.service.connect("wire", "one", {"GwPriority": 5})
    assert routes(one)[2] == "10.99.0.2"
    await bench.service.disconnect("bridge", "one")
    assert "eth0" not in enter(one.netns_path, "ip link")
    assert routes(one)[2] == "10.99.0.2"


async def test_it_outlives_the_engine(bench: Bench, outside: Namespace) -> None:
    await bench.service.create(make(parent="out0"))
    await bench.service.create({"Name": "inner", "Driver": "macvlan"})
    one = await bench.start("one", mode="wire")
    await bench.service.connect("inner", "one", {})
    await bench.service.close()
    bench.service = bench.make()
    await bench.service.recover([bench.record("one")])
    live = bench.service.sandbox(bench.record("one").id)
    assert live is not None
    assert {name: end.ifname for name, end in live.endpoints.items()} == {"wire": "eth0", "inner": "eth1"}
    assert "10.99.0.128" in values(await ask_name(one.netns_path, "one"))
    await bench.service.disconnect("inner", "one")
    assert "eth1" not in enter(one.netns_path, "ip link")
    assert routes(one)[2] == "10.99.0.2"


@pytest.mark.links
async def test_without_a_parent_nothing_leaves(bench: Bench, namespace: Namespace, servers: Servers) -> None:
    record = await bench.service.create({"Name": "alone", "Driver": "macvlan"})
    link = f"dm-{record.id[:12]}"
    assert link in namespace.sh("ip link")
    one = await bench.start("one", mode="alone")
    two = await bench.start("two", mode="alone")
    await servers.serve(one.netns_path, 80)
    assert "page" in await ask(two.netns_path, one.endpoints["alone"]["IPAddress"], 80)
    assert (routes(one), one.endpoints["alone"]["Gateway"]) == ([], "")
    await bench.stop("one")
    await bench.stop("two")
    await bench.service.remove("alone")
    assert link not in namespace.sh("ip link")


async def test_internal_has_no_gateway(bench: Bench, outside: Namespace) -> None:
    await bench.service.create(make(parent="out0") | {"Internal": True})
    assert routes(await bench.start("one", mode="wire")) == []


async def test_private_containers_do_not_see_each_other(bench: Bench, outside: Namespace, servers: Servers) -> None:
    await bench.service.create(make(parent="out0", macvlan_mode="private"))
    one = await bench.start("one", mode="wire")
    two = await bench.start("two", mode="wire")
    await servers.serve(one.netns_path, 80)
    assert "page" in await ask(outside.path, "10.99.0.128", 80)
    assert "refused" in await ask(two.netns_path, "10.99.0.128", 80)


async def test_vepa(bench: Bench, outside: Namespace, servers: Servers) -> None:
    await bench.service.create(make(parent="out0", macvlan_mode="vepa"))
    one = await bench.start("one", mode="wire")
    await servers.serve(one.netns_path, 80)
    assert "vepa" in enter(one.netns_path, "ip -d link show eth0")
    assert "page" in await ask(outside.path, "10.99.0.128", 80)


async def test_passthru_is_alone(bench: Bench, outside: Namespace) -> None:
    first = await bench.service.create(make(parent="out0", macvlan_mode="passthru"))
    one = await bench.start("one", mode="wire")
    assert "passthru" in enter(one.netns_path, "ip -d link show eth0")
    with pytest.raises(System, match=f"macvlan network {first.id} is already using parent interface out0 in mode pass"):
        await bench.service.create({"Name": "two", "Driver": "macvlan", "Options": {"parent": "out0"}})
    with pytest.raises(System, match="failed to create the macvlan port"):
        await bench.start("two", mode="wire")


async def test_of_one_parent_all_are_of_one_driver(bench: Bench, outside: Namespace) -> None:
    first = await bench.service.create(make(parent="out0"))
    await bench.service.create({"Name": "two", "Driver": "macvlan", "Options": {"parent": "out0"}})
    with pytest.raises(System, match=r"network dm-[0-9a-f]{12} is already using parent interface out0"):
        await bench.service.create({"Name": "three", "Driver": "ipvlan", "Options": {"parent": "out0"}})
    with pytest.raises(System, match=r"cannot use mode passthru, macvlan network .* is already using parent"):
        await bench.service.create(
            {"Name": "four", "Driver": "macvlan", "Options": {"parent": "out0", "macvlan_mode": "passthru"}}
        )
    assert first.id in {record.id for record in bench.service.list()}


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("macvlan", {"macvlan_mode": "foo"}, "requested macvlan mode 'foo' is not valid, 'bridge' mode is the macvlan"),
        ("ipvlan", {"ipvlan_mode": "foo"}, "requested ipvlan mode 'foo' is not valid, 'l2' mode is the ipvlan driver"),
        ("ipvlan", {"ipvlan_flag": "foo"}, "requested ipvlan flag 'foo' is not valid, 'bridge' is the ipvlan driver"),
        ("macvlan", {"parent": "lo"}, "loopback interface is not a valid macvlan parent link"),
        ("macvlan", {"parent": "no"}, "invalid subinterface vlan name no, example formatting is eth0.10"),
        ("ipvlan", {"parent": "no.10"}, "parent interface was not found on the host: no"),
        ("macvlan", {"parent": "lo.x"}, r"unable to parse a valid vlan id from: x \(ex. eth0.10 for vlan 10\)"),
        ("macvlan", {"parent": "lo.4095"}, "vlan id must be between 1-4094, received: 4095"),
    ],
)
async def test_refusals(bench: Bench, driver: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(System, match=words):
        await bench.service.create({"Name": "x", "Driver": driver, "Options": options})
    assert [record.name for record in bench.service.list()] == ["bridge", "host", "none"]


@pytest.mark.links
async def test_a_vlan_is_made_and_removed(bench: Bench, namespace: Namespace, outside: Namespace) -> None:
    if not able(namespace, "vlan"):
        with pytest.raises(System, match=r"failed to create out0\.10 vlan link: operation not supported"):
            await bench.service.create(make(parent="out0.10"))
        assert [record.name for record in bench.service.list()] == ["bridge", "host", "none"]
        return
    await bench.service.create(make(parent="out0.10"))
    await bench.service.create({"Name": "two", "Driver": "macvlan", "Options": {"parent": "out0.10"}})
    shown = json.loads(namespace.sh("ip -j -d link show out0.10"))[0]
    assert (shown["linkinfo"]["info_data"]["id"], "UP" in shown["flags"]) == (10, True)
    one = await bench.start("one", mode="wire")
    assert "10.99.0.128" in enter(one.netns_path, "ip addr show eth0")
    await bench.stop("one")
    await bench.service.remove("two")
    assert "out0.10" in namespace.sh("ip link"), "it has another user"
    await bench.service.remove("wire")
    assert "out0.10" not in namespace.sh("ip link")


@pytest.mark.links
@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
async def test_ipvlan(bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers, mode: str) -> None:
    await bench.service.create(make(driver="ipvlan", parent="out0", ipvlan_mode=mode))
    if not able(namespace, "ipvlan"):
        with pytest.raises(System, match="failed to create the ipvlan port: Operation not supported"):
            await bench.start("one", mode="wire")
        assert list(bench.paths.namespaces.iterdir()) == []
        return
    with pytest.raises(System, match="ipvlan interfaces do not support custom mac address assignment"):
        await bench.start("none", mode="wire", endpoints={"wire": {"MacAddress": "02:00:00:00:00:01"}})
    one = await bench.start("one", mode="wire")
    two = await bench.start("two", mode="wire")
    assert f"mode {mode}" in enter(one.netns_path, "ip -d link show eth0")
    assert one.endpoints["wire"]["MacAddress"] == ""
    assert routes(one)[1:3] == (["via", "10.99.0.2"] if mode == "l2" else ["dev", "eth0"])
    await servers.serve(one.netns_path, 80)
    assert "page" in await ask(two.netns_path, "10.99.0.128", 80)
    if mode == "l2":
        assert "page" in await ask(outside.path, "10.99.0.128", 80)
    await bench.service.disconnect("wire", "one")
    assert "eth0" not in enter(one.netns_path, "ip link")


async def test_a_configuration_network(bench: Bench) -> None:
    await bench.service.create(
        {"Name": "conf", "ConfigOnly": True, "IPAM": {"Config": [{"Subnet": "10.77.0.0/24"}]}, "Labels": {"a": "b"}}
    )
    record = await bench.service.create({"Name": "net", "ConfigFrom": {"Network": "conf"}})
    shown = bench.service.inspect(record)
    assert (shown["IPAM"]["Config"], shown["Labels"]) == ([{"Subnet": "10.77.0.0/24"}], {"a": "b"})
    assert (shown["ConfigFrom"], shown["ConfigOnly"]) == ({"Network": "conf"}, False)
    conf = bench.service.inspect(bench.service.find("conf"))
    assert (conf["Driver"], conf["ConfigOnly"]) == ("null", True)
    with pytest.raises(Denied, match="cannot create endpoint on configuration-only network"):
        await bench.start("one", mode="conf")
    with pytest.raises(Denied, match='error while removing network: configuration network "conf" is in use'):
        await bench.service.remove("conf")
    for more in ({"Options": {"a": "b"}}, {"EnableIPv6": True}, {"IPAM": {"Config": [{"Subnet": "10.78.0.0/24"}]}}):
        with pytest.raises(Denied, match="not supported if the network depends on a configuration network"):
            await bench.service.create({"Name": "x", "ConfigFrom": {"Network": "conf"}, **more})
    assert await bench.service.prune(lambda _: True) == ["net"]
    await bench.service.remove("conf")
