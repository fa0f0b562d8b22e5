"""The container routes: what is passed on, what is answered, and the head of a wait."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.engine.api import server
from agent.engine.api.routers import containers
from agent.engine.errors import Conflict, NotFound, NotModified


@dataclass
class End:
    code: int
    error: str = ""


class Verbs:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.over: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    def __getattr__(self, name: str) -> Any:
        async def verb(*arguments: Any, **named: Any) -> Any:
            self.asked.append((name, *arguments, named) if named else (name, *arguments))
            if arguments[0] == "gone":
                raise NotFound("No such container: gone")
            if arguments[0] == "busy":
                raise Conflict("busy")
            if arguments[0] == "same":
                raise NotModified("so already")
            return {"create": ("i" * 64, []), "update": ["w"], "prune": ([], 0)}.get(name)

        return verb

    def wait(self, ref: str, condition: str) -> "asyncio.Future[End]":
        self.asked.append(("wait", ref, condition))
        if ref == "gone":
            raise NotFound("No such container: gone")
        return self.over


class Views:
    """Has one container."""

    async def inspect(self, ref: str, *, size: bool) -> dict[str, Any]:
        return {"Id": ref, "Name": "/a", "HostConfig": {"KernelMemory": 0}, "NetworkSettings": {"Networks": {}}}

    async def list(self, filters: Any, *, everything: bool, limit: int, size: bool) -> Any:
        return [{"filters": filters, "all": everything, "limit": limit}]

    async def changes(self, ref: str) -> Any:
        return [("/x", 1)] if ref == "a" else []

    async def top(self, ref: str, arguments: str) -> Any:
        return {"Titles": [arguments]}

    async def stats_once(self, ref: str, *, one_shot: bool) -> Any:
        return {"one_shot": one_shot}

    async def stats_stream(self, ref: str) -> AsyncIterator[dict[str, Any]]:
        for number in range(2):
            yield {"n": number}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Any]:
    verbs = Verbs()
    runner = await server.listen(server.application(containers.routes(verbs, Views())), tmp_path / "s")
    async with aiohttp.ClientSession("http://d", connector=aiohttp.UnixConnector(str(tmp_path / "s"))) as session:

        async def ask(method: str, path: str, **options: Any) -> tuple[int, Any]:
            async with session.request(method, path, **options) as answer:
                raw = await answer.read()
                return answer.status, json.loads(raw) if raw.startswith((b"{", b"[", b"null")) else raw

        yield verbs, ask, session
    await runner.cleanup()


@pytest.mark.parametrize(
    ("method", "path", "status", "asked"),
    [
        ("POST", "/containers/a/start", 204, ("start", "a")),
        ("POST", "/containers/a/stop?t=3&signal=INT", 204, ("stop", "a", 3, "INT")),
        ("POST", "/containers/a/stop", 204, ("stop", "a", None, "")),
        ("POST", "/containers/a/restart?t=0", 204, ("restart", "a", 0, "")),
        ("POST", "/containers/a/kill?signal=9", 204, ("kill", "a", "9")),
        ("POST", "/containers/a/pause", 204, ("pause", "a")),
        ("POST", "/containers/a/unpause", 204, ("unpause", "a")),
        ("POST", "/containers/a/rename?name=b", 204, ("rename", "a", "b")),
        ("DELETE", "/containers/a?force=1&v=1", 204, ("remove", "a", {"force": True, "volumes": True, "link": False})),
        ("POST", "/containers/same/start", 304, ("start", "same")),
        ("POST", "/containers/gone/start", 404, ("start", "gone")),
        ("POST", "/containers/busy/pause", 409, ("pause", "busy")),
    ],
)
async def test_verbs(bench: Any, method: str, path: str, status: int, asked: Any) -> None:
    verbs, ask, _ = bench
    assert (await ask(method, path))[0] == status
    assert verbs.asked == [asked]


async def test_create_and_update(bench: Any) -> None:
    verbs, ask, _ = bench
    assert await ask("POST", "/containers/create?name=n&platform=p", json={"Image": "x"}) == (
        201,
        {"Id": "i" * 64, "Warnings": []},
    )
    assert verbs.asked == [("create", "n", {"Image": "x"}, "p", {"deep": True})]
    assert await ask("POST", "/containers/a/update", json={"Memory": 1}) == (200, {"Warnings": ["w"]})
    assert (await ask("POST", "/containers/a/start", json={"HostConfig": {}}))[0] == 400


async def test_trap_1_the_waiter_is_there_before_the_head_and_the_head_before_the_exit(bench: Any) -> None:
    verbs, ask, session = bench
    async with session.post("/containers/a/wait?condition=next-exit") as answer:
        assert answer.status == 200
        assert verbs.asked == [("wait", "a", "next-exit")]
        verbs.over.set_result(End(3))
        assert await answer.json() == {"Error": None, "StatusCode": 3}
    assert (await ask("POST", "/containers/a/wait?condition=nosuch"))[0] == 400
    assert (await ask("POST", "/containers/gone/wait"))[0] == 404


async def test_a_wait_that_ends_in_an_error(bench: Any) -> None:
    verbs, ask, _ = bench
    verbs.over.set_result(End(1, "it cannot be removed"))
    assert await ask("POST", "/containers/a/wait") == (
        200,
        {"Error": {"Message": "it cannot be removed"}, "StatusCode": 1},
    )


async def test_looking(bench: Any) -> None:
    _, ask, _ = bench
    assert (await ask("GET", "/containers/a/json"))[1]["HostConfig"] == {}
    assert (await ask("GET", "/v1.41/containers/a/json"))[1]["HostConfig"] == {"KernelMemory": 0}
    rows = (await ask("GET", "/containers/json?all=1&limit=3&filters=%7B%22label%22%3A%7B%22a%22%3Atrue%7D%7D"))[1]
    assert rows == [{"filters": {"label": ["a"]}, "all": True, "limit": 3}]
    assert await ask("GET", "/containers/a/changes") == (200, [{"Path": "/x", "Kind": 1}])
    assert await ask("GET", "/containers/b/changes") == (200, None)
    assert (await ask("GET", "/containers/a/top?ps_args=-ef"))[1] == {"Titles": ["-ef"]}
    assert (await ask("GET", "/containers/a/stats?stream=0&one-shot=1"))[1] == {"one_shot": True}
    assert (await ask("GET", "/containers/a/stats?stream=1&one-shot=1"))[0] == 400


async def test_samples_come_as_lines(bench: Any) -> None:
    _, _, session = bench
    async with session.get("/containers/a/stats") as answer:
        assert [json.loads(line) for line in (await answer.text()).splitlines()] == [{"n": 0}, {"n": 1}]
