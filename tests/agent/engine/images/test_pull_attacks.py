"""Images that contradict themselves (U10, U11) and registries that lie (R1–R8). Nothing is tagged, good layers stay."""

import asyncio
import gzip
import json

import pytest
import zstandard
from aiohttp import web

from agent.engine.errors import Denied, EngineError, Invalid, NotFound, Unavailable
from agent.engine.images import fetch
from agent.engine.registry.keychain import Credentials
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.fake_registry import (
    DOCKER,
    INDEX,
    OCI,
    basic,
    descriptor,
    digest,
    fake_registry,
    serving,
)

ONE, TWO = tar(entry("one", b"1" * 5000)), tar(entry("two", b"2" * 5000))
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"


@pytest.fixture
async def fake(monkeypatch):
    monkeypatch.setattr(fetch, "_FIRST_PAUSE", 0.01)
    async with fake_registry() as made:
        yield made


async def pull(stores, fake, ref=":1", auth=None, lines=None):
    report = (lambda _: None) if lines is None else lines.append
    return await stores.images.pull(f"{fake.address}/app{ref}", "", auth, report)


async def refused(stores, fake, kind=Invalid, ref=":1", layers=0, auth=None) -> str:
    with pytest.raises(kind) as caught:
        await pull(stores, fake, ref, auth)
    assert stores.images.list() == []
    assert len(stores.layers.records) == layers
    assert list((stores.root / "tmp/layers").iterdir()) == []
    assert list(stores.content.incoming.iterdir()) == []
    return str(caught.value)


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
    "config", [{"history": 7}, {"config": []}, {"config": {"Env": "x"}}, {"rootfs": None}, {"rootfs": {"type": "x"}}]
)
async def test_U11_bad_configuration(stores, fake, config):
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


@pytest.mark.parametrize("second", ["right", "whole", "wrong range", "416"])
async def test_R3_broken_off(stores, fake, second):
    import random

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


async def test_R3_gives_up(stores, fake):
    fake.image(ONE)

    async def failing(request, data):
        return web.Response(status=500)

    fake.on_blob = failing
    await refused(stores, fake, Unavailable)
    assert len([path for _, path, _ in fake.requests if "/blobs/" in path]) == fetch.ATTEMPTS


async def test_R4_authorization_does_not_travel(stores, fake):
    fake.image(ONE)
    seen: list[dict] = []

    async def elsewhere(request):
        seen.append(dict(request.headers))
        return web.Response(body=fake.blobs[request.path.rsplit("/", 1)[1]])

    fake.gate = lambda request: (
        None
        if "Authorization" in request.headers
        else web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    )
    async with serving(elsewhere) as other:

        async def send_on(request, data):
            return web.Response(status=307, headers={"Location": f"http://{other}/{digest(data)}"})

        fake.on_blob = send_on
        await pull(stores, fake, auth=Credentials("u", "p"))
    assert seen
    assert not [headers for headers in seen if "Authorization" in headers]
    assert [headers for _, path, headers in fake.requests if headers.get("Authorization") == basic("u", "p")]


async def test_R4_redirect_loop_and_metadata(stores, fake):
    fake.image(ONE)

    async def around(request, data):
        return web.Response(status=307, headers={"Location": request.path})

    fake.on_blob = around
    assert "redirects" in await refused(stores, fake, Denied)

    async def metadata(request, data):
        return web.Response(status=307, headers={"Location": "http://169.254.169.254/latest"})

    fake.on_blob = metadata
    assert "not a public address" in await refused(stores, fake, Denied)


@pytest.mark.parametrize("realm", ["http://attacker.test/token", "http://169.254.169.254/", "ftp://x/", "", "//x"])
async def test_R5_realm_elsewhere(stores, fake, realm):
    fake.image(ONE)
    fake.gate = lambda _: web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})
    await refused(stores, fake, Denied, auth=Credentials("u", "secret"))
    assert not [headers for _, _, headers in fake.requests if "Authorization" in headers]


async def test_R6_urls_of_a_layer_are_ignored(stores, fake):
    fake.image(ONE, change=lambda m: m["layers"][0].update(urls=["http://169.254.169.254/x"]))
    assert (await pull(stores, fake)).chain_id == digest(ONE)


async def test_R7_two_kinds_in_one(stores, fake):
    fake.image(ONE, change=lambda m: m.update(manifests=[]))
    assert "both" in await refused(stores, fake)
    body = fake.image(ONE)
    fake.manifests["1"] = (body, DOCKER)
    assert "refused" in await refused(stores, fake)
    fake.manifest({"schemaVersion": 2, "manifests": []}, "1", OCI)
    await refused(stores, fake)


async def test_index(stores, fake):
    body = fake.image(ONE, tag="inner")
    rows = [
        descriptor(b"x", OCI, platform={"os": "linux", "architecture": "s390x"}),
        descriptor(body, OCI, platform={"os": "linux", "architecture": "amd64"}),
    ]
    index = fake.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}, "1", INDEX)
    image = await pull(stores, fake)
    assert image.repo_digests == [f"{fake.address}/app@{digest(index)}"]
    fake.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows[:1]}, "2", INDEX)
    with pytest.raises(NotFound, match="no matching manifest for linux/amd64"):
        await pull(stores, fake, ":2")


async def test_R8_indexes(stores, fake):
    body = fake.image(ONE, tag="inner")
    for depth in range(4):
        row = descriptor(body, OCI if not depth else INDEX, platform={"os": "linux", "architecture": "amd64"})
        body = fake.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]}, f"d{depth}", INDEX)
    assert "nested" in await refused(stores, fake, ref=":d3")
    many = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [row] * 1001}
    fake.manifest(many, "many", INDEX)
    assert "more than 1000" in await refused(stores, fake, ref=":many")
    fake.manifest({"schemaVersion": 1, "fsLayers": []}, "old", "application/vnd.docker.distribution.manifest.v1+json")
    assert "schema 1" in await refused(stores, fake, ref=":old")


async def test_bearer(stores, fake):
    """A token server on another port of the same host, as distribution's own examples have it."""
    fake.image(ONE)
    asked: list[tuple[str, str]] = []

    async def tokens(request):
        asked.append((request.headers.get("Authorization", ""), request.query_string))
        if request.headers.get("Authorization") != basic("u", "p"):
            return web.json_response({"details": "incorrect username or password"}, status=401)
        return web.json_response({"token": "good"})

    async with serving(tokens) as server:
        challenge = f'Bearer realm="http://{server}/token",service="reg",scope="x"'
        fake.gate = lambda request: (
            None
            if request.headers.get("Authorization") == "Bearer good"
            else web.Response(status=401, headers={"WWW-Authenticate": challenge})
        )
        await pull(stores, fake, auth=Credentials("u", "p"))
        assert "scope=repository:app:pull" in asked[0][1].replace("%3A", ":")
        assert "service=reg" in asked[0][1]
        with pytest.raises(EngineError, match="incorrect username or password"):
            await pull(stores, fake, auth=Credentials("u", "wrong"))


async def test_no_secret_is_told(stores, fake):
    fake.image(ONE)
    fake.gate = lambda _: web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    text = await refused(stores, fake, EngineError, auth=Credentials("u", "canary-secret"))
    assert "canary" not in text
    assert "canary" not in repr(Credentials("u", "canary-secret"))
    assert json.dumps(text)


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
    await asyncio.wait_for(reached.wait(), 5)
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
