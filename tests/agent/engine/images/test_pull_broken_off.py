"""Registries that break off in the middle of a blob, or want to be asked later (R3)."""

import asyncio
import gzip
import random
import time
from email.utils import formatdate

import pytest
from aiohttp import web

from agent.engine.errors import Unavailable
from agent.engine.images import fetch
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.attacks import ONE, pull, refused


@pytest.mark.parametrize("second", ["right", "whole", "wrong range", "416"])
async def test_R3_broken_off(stores, fake, second):
    content = random.Random(1).randbytes(300_000)
    fake.image(tar(entry("f", content)))
    seen: list[str] = []

    async def breaking(request, data):
        if len(data) < 100_000:
            return None
        wanted = request.headers.get("Range", "")
        seen.append(wanted)
        if len(seen) == 1:
            response = web.StreamResponse(headers={"Content-Length": str(len(data))})
            await response.prepare(request)
            await response.write(data[:100_000])
            await asyncio.sleep(0.05)
            request.transport.close()
            return response
        if not wanted or second == "whole":
            return web.Response(body=data)
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if second == "416":
            return web.Response(status=416)
        shift = 0 if second == "right" else 7
        headers = {"Content-Range": f"bytes {start - shift}-{len(data) - 1}/{len(data)}"}
        return web.Response(status=206, body=data[start - shift :], headers=headers)

    fake.on_blob = breaking
    await pull(stores, fake)
    assert seen[1].startswith("bytes=")
    assert len(seen) == (2 if second in {"right", "whole"} else 3)


async def test_R3_little_is_fetched_again(stores, fake):
    """Three cuts: of each at most a piece is asked for again."""
    whole = tar(entry("f", random.Random(1).randbytes(9_000_000)))
    fake.image(whole)
    sent = 0

    async def breaking(request, data):
        nonlocal sent
        if len(data) < 100_000:
            return None
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        end = min(len(data), start + 2_500_000)
        headers = {"Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        await response.write(data[start:end])
        sent += end - start
        if end < len(data):
            await asyncio.sleep(0.2)
            request.transport.close()
        return response

    fake.on_blob = breaking
    await pull(stores, fake)
    assert sent - len(gzip.compress(whole)) <= 1 << 20


@pytest.mark.parametrize("kind", ["seconds", "date"])
async def test_R3_asked_to_wait(stores, fake, kind):
    fake.image(ONE)
    asked: list[float] = []

    async def busy(request, data):
        asked.append(time.monotonic())
        if len(asked) > 1:
            return None
        later = formatdate(time.time() + 2, usegmt=True) if kind == "date" else "1"
        return web.Response(status=429, headers={"Retry-After": later})

    fake.on_blob = busy
    lines: list[dict] = []
    await pull(stores, fake, lines=lines)
    assert asked[1] - asked[0] >= 0.9


async def test_R3_gives_up(stores, fake):
    fake.image(ONE)

    async def failing(request, data):
        return web.Response(status=500)

    fake.on_blob = failing
    await refused(stores, fake, Unavailable)
    assert len([path for _, path, _ in fake.requests if "/blobs/" in path]) == fetch.ATTEMPTS


@pytest.mark.parametrize("where", ["/v2/", "/manifests/"])
async def test_R3_asked_to_wait_before_it_has_begun(stores, fake, where):
    fake.image(ONE)
    asked: list[float] = []

    def busy(request):
        if not request.path.endswith(where) and where not in request.path.removeprefix("/v2/"):
            return None
        asked.append(time.monotonic())
        return web.Response(status=429, headers={"Retry-After": "1"}) if len(asked) == 1 else None

    fake.gate = busy
    await pull(stores, fake)
    assert asked[1] - asked[0] >= 0.9


async def test_R3_a_registry_that_wants_to_be_left_alone_for_long_is_not_waited_for(stores, fake):
    fake.image(ONE)
    words = {"errors": [{"code": "TOOMANYREQUESTS", "message": "you have reached your limit"}]}

    def busy(request):
        later = {"Retry-After": "3600"}
        return web.json_response(words, status=429, headers=later) if "/manifests/" in request.path else None

    fake.gate = busy
    begun = time.monotonic()
    assert "toomanyrequests: you have reached your limit" in await refused(stores, fake, Unavailable)
    assert time.monotonic() - begun < 10


async def test_R3_a_wait_ends_with_its_pull(stores, fake):
    fake.image(ONE)
    fake.gate = lambda request: web.Response(status=429, headers={"Retry-After": "30"})
    task = asyncio.create_task(pull(stores, fake))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert len(fake.requests) == 1
