"""A connection that breaks in the middle of a layer: the push goes on where the registry stopped, if it can say so."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from agent.engine.images import fetch
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.fake_registry import digest, serving

LAYER = tar(entry("f", random.Random(3).randbytes(8_000_000)))
CUT = 5_000_000


class Uploads:
    """A registry that says how much of a broken upload it has."""

    def __init__(self) -> None:
        self.got: dict[str, bytearray] = {}
        self.ranges: list[str] = []
        self.blobs: set[str] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        last = request.path.rsplit("/", 1)[1]
        here = {"Location": request.path, "Range": f"0-{len(self.got.get(last, b'')) - 1}"}
        if request.method == "POST":
            number = str(len(self.got) + 1)
            self.got[number] = bytearray()
            return web.Response(status=202, headers={"Location": request.path + number})
        if request.method == "GET" and "/uploads/" in request.path:
            return web.Response(status=204, headers=here)
        if request.method == "PATCH":
            self.ranges.append(request.headers.get("Content-Range", ""))
            async for data in request.content.iter_chunked(65536):
                self.got[last] += data
                if len(self.got[last]) > CUT and len(self.ranges) == 1:
                    assert request.transport is not None
                    request.transport.abort()
                    return web.Response()
            return web.Response(status=202, headers=here)
        if request.method == "PUT" and "/uploads/" in request.path:
            wanted = request.query["digest"]
            whole = digest(bytes(self.got[last])) == wanted
            self.blobs |= {wanted} if whole else set()
            return web.Response(status=201 if whole else 400)
        if request.method == "PUT":
            return web.Response(status=201)
        return web.Response(status=200 if request.path == "/v2/" or last in self.blobs else 404)


async def test_it_works(stores, import_tar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_FIRST_PAUSE", 0.05)
    uploads = Uploads()
    async with serving(uploads.handle) as address:
        await import_tar(LAYER, f"{address}/broken", "1")
        await asyncio.wait_for(stores.images.push(f"{address}/broken", "1", None, lambda _: None), 60)
    first, second = uploads.ranges[:2]
    assert first == ""
    begin, _, end = second.partition("-")
    assert int(begin) > CUT
    assert int(end) + 1 == len(uploads.got["1"])
    assert len(uploads.blobs) == 2


class Wire:
    """A way to a registry that is cut once, after some bytes."""

    def __init__(self) -> None:
        self.address, self.sent, self.cuts = "", 0, 0


@contextlib.asynccontextmanager
async def wire(registry: str) -> AsyncIterator[Wire]:
    host, port = registry.split(":")
    made = Wire()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(host, int(port))

        async def back() -> None:
            while data := await there.read(65536):
                writer.write(data)
            writer.close()

        returning = asyncio.create_task(back())
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                out.write(data)
                await out.drain()
                made.sent += len(data)
                if made.sent > CUT and not made.cuts:
                    made.cuts += 1
                    await asyncio.sleep(0.2)
                    writer.transport.abort()
                    break
        out.close()
        await asyncio.wait([returning], timeout=5)

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        made.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made


async def test_a_registry_that_forgets(stores, import_tar, hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_FIRST_PAUSE", 0.2)
    async with wire(hub) as way:
        await import_tar(LAYER, f"{way.address}/broken", "1")
        lines: list[dict] = []
        await asyncio.wait_for(stores.images.push(f"{way.address}/broken", "1", None, lines.append), 60)
    assert way.cuts == 1
    assert lines[-1]["aux"]["Digest"]
