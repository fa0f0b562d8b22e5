"""``/networks`` over HTTP, with the real docker's words, codes and shapes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.engine.api import server
from agent.engine.api.routers import containers, networks
from agent.engine.errors import Invalid
from tests.agent.engine.networks.bench import Bench

KEYS = {
    "Name", "Id", "Created", "Scope", "Driver", "EnableIPv6", "IPAM", "Internal", "Attachable", "Ingress", "ConfigFrom",
    "ConfigOnly", "Containers", "Options", "Labels",
}  # fmt: skip


class Client:
    """Asks one server."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def __call__(
        self, method: str, path: str, body: Any = None, version: str = "1.41", **filters: Any
    ) -> tuple[int, Any]:
        query = {"filters": json.dumps(filters)} if filters else {}
        async with self.session.request(method, f"/v{version}/networks{path}", json=body, params=query) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@pytest.fixture
async def ask(bench: Bench, tmp_path: Path) -> AsyncIterator[Client]:
    runner = await server.listen(server.application(networks.routes(bench.service)), tmp_path / "api")
    async with aiohttp.ClientSession(
        "http://docker", connector=aiohttp.UnixConnector(str(tmp_path / "api"))
    ) as session:
        yield Client(session)
    await runner.cleanup()


async def test_a_life(ask: Client, bench: Bench) -> None:
    status, made = await ask("POST", "/create", {"Name": "net", "CheckDuplicate": True, "Labels": {"a": "b"}})
    assert (status, set(made)) == (201, {"Id", "Warning"})
    one = await bench.start("one", mode="net")
    status, shown = await ask("GET", "/net")
    assert (status, set(shown)) == (200, KEYS)
    settings = one.endpoints["net"]
    assert shown["Containers"] == {
        bench.record("one").id: {
            "Name": "one",
            "EndpointID": settings["EndpointID"],
            "MacAddress": settings["MacAddress"],
            "IPv4Address": f"{settings['IPAddress']}/16",
            "IPv6Address": "",
        }
    }
    assert (await ask("POST", "/net/disconnect", {"Container": "one"}))[0] == 200
    assert (await ask("POST", "/net/connect", {"Container": "one", "EndpointConfig": {"Aliases": ["x"]}}))[0] == 200
    assert (await ask("POST", "/net/disconnect", {"Container": "one", "Force": True}))[0] == 200
    assert (await ask("DELETE", "/net"))[0] == 204


async def test_list_and_filters(ask: Client) -> None:
    await ask("POST", "/create", {"Name": "fid-net", "Labels": {"a": "b", "c": ""}})
    await ask("POST", "/create", {"Name": "fid-other"})

    async def names(**filters: Any) -> list[str]:
        return sorted(one["Name"] for one in (await ask("GET", "", **filters))[1])

    assert await names() == ["bridge", "fid-net", "fid-other", "host", "none"]
    assert await names(name=["fid-n"]) == ["fid-net"]
    assert await names(name=["fid-n", "host"]) == ["fid-net", "host"]
    assert await names(label=["a=b"]) == await names(label={"a=b": True}) == ["fid-net"]
    assert await names(label=["a=b", "c"]) == ["fid-net"]
    assert await names(label=["a=b", "d"]) == []
    assert await names(type=["builtin"]) == ["bridge", "host", "none"]
    assert await names(driver=["bridge"], type=["custom"]) == ["fid-net", "fid-other"]
    assert await names(scope=["swarm"]) == []
    assert await names(dangling=["true"]) == ["fid-net", "fid-other"]


async def test_errors(ask: Client, bench: Bench) -> None:
    await ask("POST", "/create", {"Name": "net"})
    await bench.start("one", mode="net")
    message = {
        ("POST", "/create", '{"Name": "net"}'): (409, "network with name net already exists"),
        ("GET", "/nosuch", ""): (404, "network nosuch not found"),
        ("DELETE", "/bridge", ""): (403, "bridge is a pre-defined network and cannot be removed"),
        ("POST", "/bridge/connect", "{}"): (400, 'invalid name or ID supplied: ""'),
        ("POST", "/net/connect", '{"Container": "nosuch"}'): (404, "No such container: nosuch"),
        ("POST", "/net/connect", '{"Container": "one"}'): (
            403,
            "endpoint with name one already exists in network net",
        ),
    }
    for (method, path, body), (status, text) in message.items():
        assert await ask(method, path, json.loads(body) if body else None) == (status, {"message": text})
    assert await ask("GET", "", nosuch=["1"]) == (400, {"message": "Invalid filter 'nosuch'"})
    assert await ask("GET", "", type=["x"]) == (500, {"message": "invalid filter: 'type'='x'"})


async def test_prune(ask: Client) -> None:
    await ask("POST", "/create", {"Name": "kept", "Labels": {"a": "b"}})
    await ask("POST", "/create", {"Name": "gone"})
    assert await ask("POST", "/prune", **{"label!": ["a=b"]}) == (200, {"NetworksDeleted": ["gone"]})
    assert await ask("POST", "/prune", until=["1h"]) == (200, {"NetworksDeleted": None})
    assert await ask("POST", "/prune", label=["a"]) == (200, {"NetworksDeleted": ["kept"]})


async def test_versions(ask: Client) -> None:
    await ask("POST", "/create", {"Name": "net", "EnableIPv4": True, "EnableIPv6": True}, "1.47")
    assert set((await ask("GET", "/net", version="1.46"))[1]) == KEYS
    found = (await ask("GET", "/net", version="1.47"))[1]
    assert (found["EnableIPv4"], found["EnableIPv6"]) == (True, True)
    bad = {"Name": "x", "Options": {"com.docker.network.bridge.enable_icc": "foo"}}
    words = (
        'failed to parse com.docker.network.bridge.enable_icc value: foo (strconv.ParseBool: parsing "foo": '
        "invalid syntax)"
    )
    assert await ask("POST", "/create", bad, "1.41") == (500, {"message": words})
    assert await ask("POST", "/create", bad, "1.47") == (400, {"message": words})
    status, error = await ask("GET", "/net?verbose=foo")
    assert (status, error["message"][:31]) == (400, "invalid value for verbose: foo:")


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ({"Scope": "swarm"}, 403, "cannot create a swarm scoped network when swarm is not active"),
        ({"Scope": "foo"}, 500, "This node is not a swarm manager."),
        ({"Ingress": True}, 403, "Ingress network can only be global scope network"),
        ({"IPAM": {"Driver": "foo"}}, 404, 'plugin "foo" not found'),
        ({"IPAM": {"Config": [{"Subnet": "10.1.0.0/24"}, {"Subnet": "10.2.0.0/24"}]}}, 403, "bridge driver doesn't"),
        ({"ConfigOnly": True, "ConfigFrom": {"Network": "x"}}, 403, "a configuration network cannot depend on another"),
    ],
)
async def test_bad_requests(ask: Client, more: dict[str, Any], status: int, words: str) -> None:
    found, error = await ask("POST", "/create", {"Name": "x", **more})
    assert (found, error["message"][: len(words)]) == (status, words)


def test_several_networks_at_once() -> None:
    body = {"NetworkingConfig": {"EndpointsConfig": {"a": {}, "b": {}}}}
    with pytest.raises(Invalid, match="Container cannot be connected to network endpoints: a, b"):
        containers.check_networks(body, (1, 43))
    containers.check_networks(body, (1, 44))
    containers.check_networks({"NetworkingConfig": []}, (1, 43))
