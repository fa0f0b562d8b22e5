"""What is asked of servers by address: a search, and an archive to import."""

import base64
import io
import json
import tarfile
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from agent.engine.errors import Invalid, NotFound, System
from agent.engine.registry.keychain import Credentials
from agent.engine.registry.search import row, split
from tests.agent.engine.images.conftest import Stores, free_port

FOUND = {"name": "team/app", "description": "an app", "star_count": 3, "is_official": True, "is_automated": True}


def archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        made.addfile(tarfile.TarInfo("file"))
    return out.getvalue()


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A registry with a search, and a web server with an archive."""
    asked: list[web.Request] = []

    async def search(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response({"num_results": 1, "results": [FOUND]})

    async def tar(_: web.Request) -> web.Response:
        return web.Response(body=archive())

    async def refused(_: web.Request) -> web.Response:
        return web.Response(status=404, text="gone\n")

    app = web.Application()
    app.add_routes([web.get("/v1/search", search), web.get("/a.tar", tar), web.get("/b.tar", refused)])
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"127.0.0.1:{port}", asked
    await runner.cleanup()


async def test_it_works(stores: Stores, server: tuple[str, list[web.Request]]) -> None:
    address, asked = server
    found = await stores.images.search(f"{address}/app", 7, Credentials("u", "p"))
    assert found == [FOUND | {"is_automated": False}]
    assert dict(asked[0].query) == {"q": "app", "n": "7"}
    assert asked[0].headers["Authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


@pytest.mark.parametrize(
    ("term", "parts"),
    [
        ("busybox", ("", "busybox")),
        ("library/busybox", ("", "busybox")),
        ("team/app", ("", "team/app")),
        ("localhost/app", ("localhost", "app")),
        ("r.example:5000/team/app", ("r.example:5000", "team/app")),
    ],
)
def test_which_registry_a_term_means(term: str, parts: tuple[str, str]) -> None:
    assert split(term) == parts


def test_a_row_has_every_key() -> None:
    assert list(row({})) == ["star_count", "is_official", "name", "is_automated", "description"]


async def test_a_search_that_cannot_be(stores: Stores) -> None:
    with pytest.raises(Invalid, match="should not have a scheme"):
        await stores.images.search("https://r.example/app", 25, None)
    with pytest.raises(Invalid, match=r"Limit 101 is outside the range of \[1, 100\]"):
        await stores.images.search("app", 101, None)
    port = free_port()
    with pytest.raises(System, match=rf'invalid registry endpoint "http://localhost:{port}/v1/". HTTPS attempt: '):
        await stores.images.search(f"localhost:{port}/app", 25, None)


async def test_an_archive_behind_an_address(stores: Stores, server: tuple[str, list[web.Request]]) -> None:
    address, _ = server
    told: list[dict[str, object]] = []
    image = await stores.images.import_image(
        stores.images.download(f"{address}/a.tar", told.append),
        name="app",
        tag="1",
        change=lambda base: base,
        message="Imported from there",
    )
    assert stores.images.resolve("app:1").id == image.id
    assert told[0] == {"status": f"Downloading from http://{address}/a.tar"}
    assert told[-1]["status"] == "Importing"
    assert told[-1]["progressDetail"] == {"current": len(archive()), "total": len(archive())}
    assert "id" not in told[-1], json.dumps(told)


async def test_an_address_without_an_archive(stores: Stores, server: tuple[str, list[web.Request]]) -> None:
    address, _ = server

    async def fetch(url: str) -> None:
        async for _ in stores.images.download(url, lambda _: None):
            pass

    with pytest.raises(NotFound, match=rf"failed to GET http://{address}/b.tar with status 404 Not Found: gone"):
        await fetch(f"http://{address}/b.tar")
    with pytest.raises(System, match='unsupported protocol scheme "ftp"'):
        await fetch("ftp://r.example/x.tar")
    with pytest.raises(System, match="connection refused"):
        await fetch(f"http://127.0.0.1:{free_port()}/x.tar")
    with pytest.raises(Invalid):
        await fetch("http:///x.tar")
