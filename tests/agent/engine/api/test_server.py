"""Version routing, the headers of every answer, and errors in Docker's words."""

import asyncio
import json
import stat
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from agent.engine import errors
from agent.engine.api import middleware, server
from agent.engine.api.answers import empty, reply, stream


class Bench:
    """A server on a socket and a client for it."""

    def __init__(self, routes: list[web.RouteDef], path: Path) -> None:
        self.routes, self.path = routes, path

    async def __aenter__(self) -> "Bench":
        self.runner = await server.listen(server.application(self.routes), self.path)
        self.session = aiohttp.ClientSession("http://docker", connector=aiohttp.UnixConnector(str(self.path)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self.runner.cleanup()

    async def ask(self, method: str, path: str, **options: object) -> tuple[int, dict[str, str], str]:
        async with self.session.request(method, path, **options) as answer:
            return answer.status, dict(answer.headers), await answer.text()


def _failing(error: Exception) -> middleware.Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        raise error

    return handler


async def _version(request: web.Request) -> web.StreamResponse:
    return reply({"version": request["version"], "match": dict(request.match_info)})


async def _empty(_: web.Request) -> web.StreamResponse:
    return empty(200)


ROUTES = [web.get("/version", _version), web.get("/images/{name:.+}/json", _version), web.post("/void", _empty)]


async def test_a_path_with_and_without_a_version(tmp_path: Path) -> None:
    async with Bench(ROUTES, tmp_path / "s") as bench:
        assert json.loads((await bench.ask("GET", "/version"))[2])["version"] == [1, 47]
        for asked in ("1.24", "1.41", "1.47"):
            status, headers, body = await bench.ask("GET", f"/v{asked}/version")
            assert (status, json.loads(body)["version"]) == (200, [1, int(asked[2:])])
            assert headers["Content-Type"] == "application/json"
        assert body.endswith("}\n")


async def test_names_with_slashes(tmp_path: Path) -> None:
    async with Bench(ROUTES, tmp_path / "s") as bench:
        _, _, body = await bench.ask("GET", "/v1.41/images/docker.io/library/a:b/json")
        assert json.loads(body)["match"] == {"name": "docker.io/library/a:b"}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1.48/version", 400, "client version 1.48 is too new. Maximum supported API version is 1.47"),
        (
            "/v1.23/version",
            400,
            "client version 1.23 is too old. Minimum supported API version is 1.24, "
            "please upgrade your client to a newer version",
        ),
        ("/v1.41/nothing", 404, "page not found"),
        ("/v1.41x/version", 404, "page not found"),
        ("/", 404, "page not found"),
        ("/void", 404, "page not found"),
    ],
)
async def test_what_is_not_served(tmp_path: Path, path: str, status: int, message: str) -> None:
    async with Bench(ROUTES, tmp_path / "s") as bench:
        got, headers, body = await bench.ask("GET", path)
        assert (got, json.loads(body)) == (status, {"message": message})
        assert headers["Api-Version"] == "1.47"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound("No such container: a"), 404),
        (errors.Conflict("taken"), 409),
        (errors.Invalid("bad"), 400),
        (errors.Denied("no"), 403),
        (errors.Unauthorized("who"), 401),
        (errors.Unavailable("gone"), 503),
        (errors.NoSpace("full"), 507),
        (errors.System("kernel"), 500),
        (OSError(28, "No space left on device"), 507),
        (ValueError("surprise"), 500),
    ],
)
async def test_each_error_has_its_status_and_every_header(tmp_path: Path, error: Exception, status: int) -> None:
    async with Bench([web.post("/e", _failing(error)), web.get("/e", _failing(error))], tmp_path / "s") as bench:
        for method in ("GET", "POST"):
            got, headers, body = await bench.ask(method, "/e")
            assert (got, json.loads(body)) == (status, {"message": str(error)})
            assert {key: headers[key] for key in middleware.HEADERS} == middleware.HEADERS


async def test_a_body_that_is_too_large_is_refused_in_docker_s_form(tmp_path: Path) -> None:
    async def body(request: web.Request) -> web.StreamResponse:
        await request.read()
        return empty()

    async with Bench([web.post("/b", body)], tmp_path / "s") as bench:
        status, _, text = await bench.ask("POST", "/b", data=b"x" * (server.LARGEST_BODY + 1))
        assert status == 413
        assert "message" in json.loads(text)


async def test_not_modified_has_no_body(tmp_path: Path) -> None:
    async with Bench([web.post("/e", _failing(errors.NotModified("already")))], tmp_path / "s") as bench:
        assert (await bench.ask("POST", "/e"))[0::2] == (304, "")


async def test_an_empty_answer_has_no_content_type(tmp_path: Path) -> None:
    async with Bench(ROUTES, tmp_path / "s") as bench:
        status, headers, body = await bench.ask("POST", "/void")
        assert (status, headers.get("Content-Type"), headers["Content-Length"], body) == (200, None, "0", "")


async def test_the_socket_is_for_its_group_only_and_replaces_a_stale_one(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for _ in range(2):
        runner = await server.listen(server.application(ROUTES), path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        await runner.cleanup()
        asyncio.get_running_loop()


async def test_a_socket_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.Invalid, match="longer than 107 bytes"):
        await server.listen(server.application(ROUTES), tmp_path / ("s" * 108))


async def test_a_change_is_carried_through_without_its_client_and_a_stream_is_not(tmp_path: Path) -> None:
    seen: list[str] = []

    async def change(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        seen.append("changed")
        return empty()

    async def watch(request: web.Request) -> web.StreamResponse:
        await stream(request)
        try:
            await asyncio.sleep(30)
        finally:
            seen.append("watch ended")
        return empty()

    async with Bench([web.post("/change", change), web.get("/watch", watch)], tmp_path / "s") as bench:
        async with bench.session.get("/watch") as answer:
            assert answer.status == 200
        for method, path in (("POST", "/change"),):
            with pytest.raises(asyncio.TimeoutError):
                await bench.ask(method, path, timeout=aiohttp.ClientTimeout(0.05))
        await asyncio.sleep(0.4)
    assert sorted(seen) == ["changed", "watch ended"]
