"""A large layer is unpacked while it is still on its way; what came of a wrong beginning is thrown away."""

import asyncio
import random

import pytest
from aiohttp import web

from agent.engine.errors import Invalid
from agent.engine.images import early
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.fake_registry import digest

CONTENT = [random.Random(number).randbytes(500_000) for number in range(20)]
LARGE = tar(*(entry(f"f{number}", content) for number, content in enumerate(CONTENT)))


def pulling(stores, fake) -> "asyncio.Task":
    return asyncio.create_task(stores.images.pull(f"{fake.address}/app:1", "", None, lambda _: None))


def scratch(stores) -> list[str]:
    return sorted(path.name for path in (stores.root / "tmp/layers").glob("*/*"))


def gated(fake, first: int):
    """Send a large blob up to a byte, and the rest when the event is set."""
    go = asyncio.Event()

    async def slow(request, data):
        if len(data) < early.WORTH_IT:
            return None
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[:first])
        await go.wait()
        await response.write(data[first:])
        return response

    fake.on_blob = slow
    return go


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_it_works(stores, fake):
    fake.image(LARGE)
    go = gated(fake, 6_000_000)
    task = pulling(stores, fake)
    await until(lambda: len(scratch(stores)) >= 10)
    assert stores.images.list() == []
    go.set()
    image = await asyncio.wait_for(task, 20)
    assert image.chain_id == digest(LARGE)
    assert [(stores.layers.path(image.chain_id) / f"f{n}").read_bytes() for n in range(20)] == CONTENT
    assert scratch(stores) == []


async def test_a_wrong_end(stores, fake):
    fake.image(LARGE)
    name = next(name for name, data in fake.blobs.items() if len(data) >= early.WORTH_IT)
    data = fake.blobs[name]
    fake.blobs[name] = data[:7_000_000] + bytes(len(data) - 7_000_000)
    with pytest.raises(Invalid, match="verification failed"):
        await asyncio.wait_for(pulling(stores, fake), 20)
    assert scratch(stores) == []
    assert len(stores.layers.records) == 0


async def test_the_registry_begins_anew(stores, fake):
    """The second answer is whole, not the rest: what was unpacked of the first does not count."""
    fake.image(LARGE)
    answers = 0

    async def breaking(request, data):
        nonlocal answers
        if len(data) < early.WORTH_IT:
            return None
        answers += 1
        if answers > 1:
            return web.Response(body=data)
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(bytes(3_000_000))
        await asyncio.sleep(0.3)
        request.transport.close()
        return response

    fake.on_blob = breaking
    image = await asyncio.wait_for(pulling(stores, fake), 30)
    assert image.chain_id == digest(LARGE)
    assert answers == 2


async def test_the_client_leaves(stores, fake):
    fake.image(LARGE)
    gated(fake, 6_000_000)
    task = pulling(stores, fake)
    await until(lambda: len(scratch(stores)) >= 5)
    task.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: scratch(stores) == [])
    assert list(stores.content.incoming.iterdir()) == []


async def test_two_pulls_of_one_layer(stores, fake):
    fake.image(LARGE)
    go = gated(fake, 6_000_000)
    tasks = [pulling(stores, fake) for _ in range(3)]
    await until(lambda: len(scratch(stores)) >= 5)
    go.set()
    async with asyncio.timeout(30):
        images = await asyncio.gather(*tasks)
    assert {image.chain_id for image in images} == {digest(LARGE)}
    assert len([path for _, path, _ in fake.requests if "/blobs/" in path]) == 2
