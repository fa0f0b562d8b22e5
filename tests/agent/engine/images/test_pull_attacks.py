"""Images that contradict themselves (U10, U11), registries that lie (R1, R2). Nothing is tagged, good layers stay."""

import asyncio
import gzip

import pytest
import zstandard
from aiohttp import web

from agent.engine.errors import EngineError, Invalid
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.attacks import ONE, TWO, pull, refused
from tests.agent.engine.images.fake_registry import (
    DOCKER,
    OCI,
    descriptor,
    digest,
)

ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"


async def test_it_works(stores, fake):
    fake.image(ONE, TWO)
    image = await pull(stores, fake)
    assert image.size == 10000
    assert len(image.chains) == 2


async def test_zstd_and_docker_manifests(stores, fake):
    fake.image(ONE, tag="z", pack=zstandard.ZstdCompressor().compress, layer_type=ZSTD)
    fake.image(TWO, tag="d", media_type=DOCKER)
    assert (await pull(stores, fake, ":z")).chain_id == digest(ONE)
    assert (await pull(stores, fake, ":d")).chain_id == digest(TWO)


async def test_U10_blob_is_not_its_digest(stores, fake):
    fake.image(ONE, TWO)
    wrong = digest(gzip.compress(TWO))
    fake.blobs[wrong] = b"x" * len(fake.blobs[wrong])
    assert "verification failed" in await refused(stores, fake, layers=1)
    fake.image(ONE, TWO)
    await pull(stores, fake)


async def test_U10_layer_is_not_its_diff_id(stores, fake):
    fake.image(ONE, TWO, diff_ids=[digest(ONE), digest(ONE)])
    assert "refused" in await refused(stores, fake, layers=1)


@pytest.mark.parametrize("ids", [[], [digest(ONE)], [digest(ONE), digest(TWO), digest(TWO)]])
async def test_U10_number_of_layers(stores, fake, ids):
    fake.image(ONE, TWO, diff_ids=ids)
    assert "refused" in await refused(stores, fake)


PACKED = {
    "truncated": lambda data: gzip.compress(data)[:-20],
    "junk behind": lambda data: gzip.compress(data) + b"junk",
    "member behind": lambda data: gzip.compress(data) + gzip.compress(b"more"),
    "not packed twice": lambda data: gzip.compress(gzip.compress(data)),
    "no tar": lambda data: gzip.compress(b"x" * 2000),
}


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
async def test_U10_damaged_layer(stores, fake, pack):
    fake.image(ONE, pack=pack)
    await refused(stores, fake)


async def test_U10_members_that_belong_together(stores, fake):
    fake.image(ONE, pack=lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]))
    assert (await pull(stores, fake)).chain_id == digest(ONE)


async def test_U10_old_tag_stays(stores, fake):
    fake.image(ONE)
    old = await pull(stores, fake)
    fake.image(TWO, diff_ids=[digest(ONE + b"x")])
    with pytest.raises(Invalid):
        await pull(stores, fake)
    assert stores.images.resolve(f"{fake.address}/app:1").id == old.id


async def test_U11_too_many_layers(stores, fake):
    fake.image(*[ONE] * 128)
    assert "max depth exceeded" in await refused(stores, fake)


@pytest.mark.parametrize(
    "config",
    [
        {"history": 7}, {"history": [1]}, {"config": []}, {"config": {"Env": "x"}}, {"config": {"Env": [1]}},
        {"config": {"Labels": {"a": 1}}}, {"config": {"Labels": {"a": float("nan")}}}, {"config": {"User": {}}},
        {"config": {"WorkingDir": 5}}, {"config": {"ExposedPorts": ["80"]}}, {"config": {"Healthcheck": "x"}},
        {"config": {"StopSignal": 9}}, {"config": {"OnBuild": 5}}, {"created": 7}, {"os": ["linux"]},
        {"unknown": float("inf")}, {"rootfs": None}, {"rootfs": {"type": "x"}},
    ],
    ids=str,
)  # fmt: skip
async def test_U11_bad_configuration(stores, fake, config):
    """What would break every list of images, or each container made from it, is no image."""
    fake.image(ONE, config=config)
    await refused(stores, fake)


async def test_U11_deep_configuration(stores, fake):
    raw = fake.blob(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)
    fake.image(ONE, change=lambda m: m.update(config=descriptor(raw, m["config"]["mediaType"])))
    await refused(stores, fake)


async def test_U11_large_configuration(stores, fake):
    fake.image(ONE, change=lambda m: m["config"].update(size=50 << 20))
    assert "more than" in await refused(stores, fake)


async def test_R1_manifest_is_not_its_digest(stores, fake):
    body = fake.image(ONE)
    fake.manifests[digest(body)] = (body + b" ", OCI)
    assert "verification failed" in await refused(stores, fake, ref="@" + digest(body))


async def test_R1_the_registry_lies_about_a_tag(stores, fake):
    fake.image(ONE)
    fake.named = "sha256:" + "0" * 64
    assert "calls its manifest" in await refused(stores, fake)
    fake.named = "nonsense"
    await pull(stores, fake)


@pytest.mark.parametrize("said", [-100, 100])
async def test_R2_content_length(stores, fake, said):
    """Fewer bytes than the head promised, or more: neither is the blob."""
    fake.image(tar(entry("f", bytes(1000))))

    async def lying(request, data):
        if not data.startswith(b"\x1f\x8b"):
            return None
        body = data + b"x" * 300 if said < 0 else data[:-10]
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data) + said}\r\n\r\n"
        request.transport.write(head.encode() + body)
        request.transport.close()
        return web.Response()

    fake.on_blob = lying
    await refused(stores, fake, EngineError)


@pytest.mark.parametrize("size", [-1, 10])
async def test_R2_size_is_wrong(stores, fake, size):
    fake.image(ONE, change=lambda m: m["layers"][0].update(size=m["layers"][0]["size"] + size))
    await refused(stores, fake, EngineError)


async def test_R2_endless(stores, fake):
    fake.image(ONE)

    async def endless(request, data):
        response = web.StreamResponse()
        await response.prepare(request)
        while not request.transport.is_closing():
            await response.write(b"x" * 65536)
        return response

    fake.on_blob = endless
    await refused(stores, fake)


async def test_R2_packed_once_more(stores, fake):
    fake.image(ONE)

    async def packed(request, data):
        return web.Response(body=gzip.compress(data), headers={"Content-Encoding": "gzip"})

    fake.on_blob = packed
    await refused(stores, fake)


async def test_cancelled(stores, fake):
    """The client leaves in the middle: within a second nothing of the pull is left."""
    fake.image(ONE)
    reached = asyncio.Event()

    async def silent(request, data):
        if not data.startswith(b"\x1f\x8b"):
            return None
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(data[:10])
        reached.set()
        await asyncio.sleep(2)
        return response

    fake.on_blob = silent
    task = asyncio.create_task(pull(stores, fake))
    await asyncio.wait_for(reached.wait(), 30)
    task.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert list(stores.content.incoming.iterdir()) == []
    assert stores.images.list() == []


async def test_other_operating_system(stores, fake):
    fake.image(ONE, config={"os": "windows"})
    assert "cannot be used on this platform" in await refused(stores, fake)


async def test_shared_layers_side_by_side(stores, fake):
    """Six pulls of three images that share layers: none waits for another for ever, each layer is unpacked once."""
    parts = [tar(entry(f"f{number}", bytes([number]) * 3000)) for number in range(4)]
    fake.image(*parts[:3], tag="a")
    fake.image(*parts[:2], parts[3], tag="b")
    fake.image(parts[0], parts[3], tag="c")
    async with asyncio.timeout(20):
        images = await asyncio.gather(*(pull(stores, fake, f":{tag}") for tag in "abcabc"))
    assert len({image.id for image in images}) == 3
    assert len(stores.layers.records) == 5
    assert len([path for _, path, _ in fake.requests if "/blobs/" in path]) == 4 + 3
