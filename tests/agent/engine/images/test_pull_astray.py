"""Registries that send us elsewhere, or name what cannot be (R4–R8)."""

import json

import pytest
from aiohttp import web

from agent.engine.errors import Denied, EngineError, Invalid, NotFound
from agent.engine.registry.keychain import Credentials
from tests.agent.engine.images.attacks import ONE, pull, refused
from tests.agent.engine.images.fake_registry import (
    DOCKER,
    INDEX,
    OCI,
    basic,
    descriptor,
    digest,
    serving,
)


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


async def test_R7_no_media_type(stores, fake):
    """CVE-2021-41190: what has no type of its own is what the registry says, and nothing else."""
    body = fake.image(ONE, change=lambda m: m.pop("mediaType"))
    await pull(stores, fake)
    for wrong in (INDEX, "text/plain", ""):
        fake.manifests["2"] = (body, wrong)
        with pytest.raises(Invalid):
            await pull(stores, fake, ":2")


async def test_R8_an_index_that_names_itself(stores, fake):
    """No document holds its own digest: a registry that serves one under it is caught by hashing."""
    row = {
        "mediaType": INDEX,
        "digest": "sha256:" + "1" * 64,
        "size": 500,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    body = fake.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]}, "1", INDEX)
    fake.manifests["sha256:" + "1" * 64] = (body, INDEX)
    fake.named = "none"
    assert "verification failed" in await refused(stores, fake)


async def test_R8_indexes(stores, fake):
    body = fake.image(ONE, tag="inner")
    for depth in range(4):
        row = descriptor(body, OCI if not depth else INDEX, platform={"os": "linux", "architecture": "amd64"})
        body = fake.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [row]}, f"d{depth}", INDEX)
    assert "nested" in await refused(stores, fake, ref=":d3")
    for count in (1001, 10_000):
        many = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [row] * count}
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
