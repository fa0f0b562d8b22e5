"""``/volumes`` over HTTP, with the real docker's words, codes and shapes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.engine.api import server
from agent.engine.api.routers import volumes
from tests.agent.engine.volumes.bench import Bench


class Client:
    """Asks one server."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def __call__(
        self, method: str, path: str, body: Any = None, version: str = "1.41", **filters: Any
    ) -> tuple[int, Any]:
        query = {"filters": json.dumps(filters)} if filters else {}
        async with self.session.request(method, f"/v{version}/volumes{path}", json=body, params=query) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@pytest.fixture
async def ask(bench: Bench, tmp_path: Path) -> AsyncIterator[Client]:
    runner = await server.listen(server.application(volumes.routes(bench.service)), tmp_path / "api")
    async with aiohttp.ClientSession(
        "http://docker", connector=aiohttp.UnixConnector(str(tmp_path / "api"))
    ) as session:
        yield Client(session)
    await runner.cleanup()


async def test_a_life(ask: Client, bench: Bench) -> None:
    status, made = await ask("POST", "/create", {"Name": "data", "Labels": {"a": "b"}})
    assert (status, made.pop("CreatedAt")[-1]) == (201, "Z")
    assert made == {
        "Driver": "local",
        "Labels": {"a": "b"},
        "Mountpoint": str(bench.paths.volumes / "data" / "_data"),
        "Name": "data",
        "Options": None,
        "Scope": "local",
    }
    again = (await ask("POST", "/create", {"Name": "data", "Labels": {"x": "y"}}))[1]
    assert again["Labels"] == {"a": "b"}
    assert (await ask("GET", "/data"))[1] == again
    assert (await ask("GET", ""))[1] == {"Volumes": [again], "Warnings": None}
    assert (await ask("DELETE", "/data"))[0] == 204
    assert await ask("DELETE", "/data") == (404, {"message": "get data: no such volume"})
    assert (await ask("DELETE", "/data?force=1"))[0] == 204


async def test_without_a_name(ask: Client) -> None:
    status, made = await ask("POST", "/create", {})
    assert (status, len(made["Name"]), made["Labels"]) == (201, 64, None)


async def test_filters(ask: Client, bench: Bench) -> None:
    await ask("POST", "/create", {"Name": "first", "Labels": {"a": "b"}})
    await ask("POST", "/create", {"Name": "second", "Labels": {"a": "c"}})
    await bench.container("one", "second")

    async def names(**filters: Any) -> list[str]:
        return [one["Name"] for one in (await ask("GET", "", **filters))[1]["Volumes"]]

    assert await names(name=["fir"]) == ["first"]
    assert await names(label=["a=b"]) == ["first"]
    assert await names(label=["a"]) == ["first", "second"]
    assert await names(dangling=["true"]) == ["first"]
    assert await names(dangling=["false"]) == ["second"]
    assert await names(driver=["local"]) == ["first", "second"]
    assert await names(driver=["nosuch"]) == []
    assert await ask("GET", "", dangling=["maybe"]) == (400, {"message": "Invalid filter 'dangling=[maybe]'"})
    assert await ask("GET", "", nosuch=["1"]) == (400, {"message": "Invalid filter 'nosuch'"})


async def test_in_use(ask: Client, bench: Bench) -> None:
    await ask("POST", "/create", {"Name": "data"})
    record = await bench.container("one", "data")
    message = {"message": f"remove data: volume is in use - [{record.id}]"}
    assert await ask("DELETE", "/data?force=1") == (409, message)


async def test_prune_before_and_since_1_42(ask: Client) -> None:
    for body in ({"Name": "named"}, {}):
        await ask("POST", "/create", body)
    assert (await ask("POST", "/prune", all=["true"]))[0] == 400
    status, pruned = await ask("POST", "/prune", version="1.42")
    assert (status, len(pruned["VolumesDeleted"]), pruned["SpaceReclaimed"]) == (200, 1, 0)
    assert (await ask("POST", "/prune", version="1.42", all=["1"]))[1]["VolumesDeleted"] == ["named"]
    await ask("POST", "/create", {"Name": "named"})
    assert (await ask("POST", "/prune"))[1]["VolumesDeleted"] == ["named"]
