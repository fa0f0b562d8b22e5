"""No text of a client's becomes part of a rule: whoever may make a container may not write the host's firewall."""

from typing import Any

import pytest

from agent.engine.errors import EngineError
from agent.engine.networks import ports, requests
from tests.agent.engine.networks.bench import Bench, Namespace

EVIL = "} ; add table inet evil ; add set inet evil x { type ifname ; }"
ZONE = f"fe80::1%{EVIL}"


@pytest.mark.parametrize(
    "request_",
    [
        {"Options": {"com.docker.network.bridge.name": '" ; add'}},
        {"Options": {"com.docker.network.bridge.name": "br*"}},
        {"Options": {"com.docker.network.host_ipv6": ZONE}},
        {"Options": {"com.docker.network.host_ipv4": EVIL}},
        {"Options": {"com.docker.network.bridge.host_binding_ipv4": ZONE}},
        {"EnableIPv6": True, "IPAM": {"Config": [{"Subnet": f"{ZONE.replace('::1', '::')}/64"}]}},
        {"EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "fd00::/64", "Gateway": f"fd00::1%{EVIL}"}]}},
        {"Driver": "macvlan", "Options": {"parent": "a/../../b"}},
    ],
)
async def test_n4_of_a_network(bench: Bench, namespace: Namespace, request_: dict[str, Any]) -> None:
    before = namespace.sh("nft list ruleset")
    with pytest.raises(EngineError):
        await bench.service.create({"Name": "net", **request_})
    assert namespace.sh("nft list ruleset") == before
    assert [record.name for record in bench.service.list()] == ["bridge", "host", "none"]


@pytest.mark.parametrize(
    "config",
    [
        {"MacAddress": f"02:00:00:00:00:01{EVIL}"},
        {"MacAddress": ["02:00:00:00:00:01"]},
        {"IPAMConfig": {"LinkLocalIPs": [ZONE]}},
        {"IPAMConfig": {"IPv6Address": f"fd00::7%{EVIL}"}},
        {"DriverOpts": {"com.docker.network.endpoint.ifname": "../../x"}},
        {"DriverOpts": {"com.docker.network.endpoint.ifname": EVIL}},
    ],
)
async def test_n4_of_an_endpoint(bench: Bench, namespace: Namespace, config: dict[str, Any]) -> None:
    with pytest.raises(EngineError):
        requests.check_endpoints({"net": config})
    await bench.service.create({"Name": "net", "EnableIPv6": True, "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}})
    with pytest.raises(EngineError):
        await bench.start("one", mode="net", endpoints={"net": config})
    assert "evil" not in namespace.sh("nft list ruleset")
    assert list(bench.paths.namespaces.iterdir()) == []


def test_n4_of_a_port() -> None:
    with pytest.raises(EngineError):
        ports.requests({"80/tcp": [{"HostIp": ZONE, "HostPort": "1"}]}, (), False)


@pytest.mark.parametrize(
    "config",
    [
        [], {"IPAMConfig": ["x"]}, {"DriverOpts": "x"}, {"GwPriority": "x"}, {"Aliases": "x"}, {"Links": [1]},
        {"IPAMConfig": {"LinkLocalIPs": [5]}},
    ],
)  # fmt: skip
def test_settings_of_another_shape(config: Any) -> None:
    with pytest.raises(EngineError):
        requests.check_endpoints({"net": config or [1]})
