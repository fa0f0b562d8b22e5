"""Ping, events and what is left out, over a socket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from agent.engine.api import server
from agent.engine.api.routers import absent, system
from agent.engine.events import EventBus


class Backend:
    """A system with nothing in it but events."""

    def __init__(self) -> None:
        self.events = EventBus()

    def version(self) -> dict[str, Any]:
        return {"ApiVersion": "1.47"}

    async def info(self, version: Any) -> dict[str, Any]:
        return {}

    async def disk_usage(self, kinds: set[str], version: Any) -> dict[str, Any]:
        return {"kinds": sorted(kinds)}

    async def login(self, credentials: Mapping[str, Any]) -> str:
        return f"Login Succeeded for {credentials['username']}"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[tuple[Backend, aiohttp.ClientSession]]:
    backend = Backend()
    runner = await server.listen(server.application([*system.routes(backend), *absent.routes()]), tmp_path / "s")
    async with aiohttp.ClientSession("http://d", connector=aiohttp.UnixConnector(str(tmp_path / "s"))) as session:
        yield backend, session
    await runner.cleanup()


def die(backend: Backend, name: str = "a", code: int = 0, **labels: str) -> None:
    attributes = {**labels, "image": "busy:1", "name": name, "exitCode": str(code)}
    backend.events.publish("container", "die", "abc" + name, attributes)


async def ask(session: aiohttp.ClientSession, query: str = "", **filters: list[str]) -> Any:
    path = f"/v1.41/events?until={time.time() + 0.001:.9f}&{query}"
    if filters:
        path += "&filters=" + quote(json.dumps(filters))
    async with session.get(path) as answer:
        return answer.status, [json.loads(line) for line in (await answer.text()).splitlines()]


async def test_ping(bench: Any) -> None:
    _, session = bench
    for method in ("GET", "HEAD"):
        async with session.request(method, "/_ping") as answer:
            assert (answer.status, await answer.text()) == (200, "OK" if method == "GET" else "")
            assert answer.headers["Api-Version"] == "1.47"
            assert answer.headers["Builder-Version"] == "1"


async def test_trap_2_the_head_of_a_silent_stream_comes_at_once(bench: Any) -> None:
    backend, session = bench
    async with asyncio.timeout(10), session.get("/v1.41/events") as answer:
        assert answer.status == 200
        die(backend)
        assert json.loads(await answer.content.readline())["Action"] == "die"


async def test_an_exit_that_is_found_late_is_told_too(bench: Any) -> None:
    """Its time is the exit's own, earlier than that of what was told meanwhile."""
    backend, session = bench
    die(backend, "quick")
    async with asyncio.timeout(10), session.get("/v1.41/events?since=1") as answer:
        assert json.loads(await answer.content.readline())["Actor"]["ID"] == "abcquick"
        backend.events.publish("container", "die", "abclate", {"name": "late"}, time_ns=time.time_ns() - 10**9)
        die(backend, "last")
        told = [json.loads(await answer.content.readline())["Actor"]["ID"] for _ in range(2)]
    assert told == ["abclate", "abclast"]


async def test_trap_5_and_12_filters(bench: Any) -> None:
    backend, session = bench
    die(backend, "web", app="shop")
    die(backend, "db", app="store")
    backend.events.publish("network", "connect", "n1", {"name": "bridge", "container": "abcweb"})
    backend.events.publish("container", "health_status: healthy", "abcweb", {"image": "busy:1", "name": "web"})

    async def names(**filters: list[str]) -> list[tuple[str, str]]:
        _, events = await ask(session, "since=1", **filters)
        return [(event["Action"], event["Actor"]["Attributes"]["name"]) for event in events]

    assert await names(event=["die"]) == [("die", "web"), ("die", "db")]
    assert await names(event=["die", "connect"], label=["app=shop"]) == [("die", "web")]
    assert await names(label=["app", "nosuch"]) == []
    assert await names(container=["web"], event=["health_status"]) == [("health_status: healthy", "web")]
    assert await names(image=["busy"], type=["container"], event=["die"]) == [("die", "web"), ("die", "db")]
    assert await names(type=["network"]) == [("connect", "bridge")]


async def test_a_window_that_makes_no_sense(bench: Any) -> None:
    _, session = bench
    async with session.get("/v1.41/events?since=2000000000&until=1000000000") as answer:
        assert answer.status == 400
        assert (await answer.json())["message"] == "`since` time (2000000000) cannot be after `until` time (1000000000)"
    for version, status in (("", 400), ("/v1.41", 500)):
        async with session.get(f"{version}/events?since=yesterday") as answer:
            assert answer.status == status
            assert (await answer.json())["message"].endswith('strconv.ParseInt: parsing "yesterday": invalid syntax')


async def test_an_unknown_filter_is_refused(bench: Any) -> None:
    _, session = bench
    async with session.get("/events?filters=" + quote('{"nosuch":["x"]}')) as answer:
        assert answer.status == 400


async def test_a_follower_gets_what_was_and_what_comes_once_each(bench: Any) -> None:
    backend, session = bench
    die(backend, "old")
    async with session.get("/events?since=1") as answer:
        die(backend, "new")
        rows = [json.loads(await answer.content.readline()) for _ in range(2)]
        assert [row["Actor"]["Attributes"]["name"] for row in rows] == ["old", "new"]
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(answer.content.readline(), 0.1)


async def test_a_client_that_leaves_ends_its_subscription(bench: Any) -> None:
    backend, session = bench
    async with session.get("/events"):
        assert len(backend.events.subscribers) == 1
    await asyncio.sleep(0.1)
    assert not backend.events.subscribers


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/session", 400, "BuildKit is not part of this engine"),
        ("POST", "/grpc", 400, "DOCKER_BUILDKIT=0"),
        ("GET", "/services", 503, "not a swarm manager"),
        ("GET", "/tasks/x", 503, "not a swarm manager"),
        ("DELETE", "/services/x", 503, "not a swarm manager"),
        ("POST", "/swarm/leave?force=1", 503, "This node is not part of a swarm"),
        ("POST", "/swarm/init", 400, "swarm mode is not part of this engine"),
        ("GET", "/plugins/nosuch/json", 404, 'plugin "nosuch" not found'),
        ("DELETE", "/plugins/nosuch", 404, 'plugin "nosuch" not found'),
        ("POST", "/plugins/no/such:1/enable", 404, 'plugin "no/such:1" not found'),
        ("POST", "/plugins/pull?remote=x", 400, "managed plugins are not part of this engine"),
        ("GET", "/plugins/privileges?remote=x", 400, "run a plugin as a service"),
        ("GET", "/system/df?type=nosuch", 400, "nosuch"),
    ],
)
async def test_trap_9_what_is_left_out_says_so(bench: Any, method: str, path: str, status: int, words: str) -> None:
    _, session = bench
    async with session.request(method, path) as answer:
        assert answer.status == status
        assert words in (await answer.json())["message"]


async def test_disk_usage_of_some_kinds_and_login(bench: Any) -> None:
    _, session = bench
    async with session.get("/system/df?type=image&type=volume") as answer:
        assert await answer.json() == {"kinds": ["image", "volume"]}
    async with session.get("/v1.41/system/df?type=image") as answer:
        assert len((await answer.json())["kinds"]) == 4, "the older API had no types"
    async with session.post("/auth", json={"username": "u"}) as answer:
        assert (await answer.json())["Status"] == "Login Succeeded for u"
