"""``docker load``: archives of dockerd, of OCI tools, and hostile ones (U12)."""

import gzip
import io
import json
import tarfile

import pytest

from agent.engine.errors import Invalid
from tests.agent.engine.images.archives import entry, folder, hardlink, symlink, tar
from tests.agent.engine.images.fake_registry import CONFIG, GZIP, INDEX, OCI, descriptor, digest

LAYER = tar(entry("a", b"x" * 100))
IMAGE = json.dumps(
    {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]}}
).encode()


def manifest(layers=("l/layer.tar",), tags=("app:1",), config="c.json") -> bytes:
    return json.dumps([{"Config": config, "RepoTags": list(tags), "Layers": list(layers)}]).encode()


@pytest.fixture
def load(stores):
    async def run(data: bytes) -> list[dict]:
        async def chunks():
            yield data

        lines: list[dict] = []
        await stores.images.load(chunks(), lines.append)
        return lines

    return run


async def test_folders_of_dockerd(stores, load):
    parts = [folder("l"), entry("l/layer.tar", LAYER), symlink("m/layer.tar", "../l/layer.tar"), entry("c.json", IMAGE)]
    lines = await load(tar(*parts, entry("manifest.json", manifest(["m/layer.tar"]))))
    assert lines[-1] == {"stream": "Loaded image: app:1\n"}
    assert lines[0]["status"] == "Loading layer"
    assert stores.images.resolve("app:1").id == digest(IMAGE)


async def test_without_names_and_packed(stores, load):
    whole = tar(entry("l", gzip.compress(LAYER)), entry("c.json", IMAGE), entry("manifest.json", manifest(["l"], [])))
    lines = await load(gzip.compress(whole))
    assert lines[-1] == {"stream": f"Loaded image ID: {digest(IMAGE)}\n"}
    assert (await load(whole))[-1] == lines[-1]


async def test_oci_layout(stores, load):
    packed = gzip.compress(LAYER)
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": descriptor(IMAGE, CONFIG),
                       "layers": [descriptor(packed, GZIP)]}).encode()  # fmt: skip
    platform = {"os": "linux", "architecture": "amd64"}
    inner = json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(body, OCI, platform=platform)]}
    ).encode()
    named = {"annotations": {"org.opencontainers.image.ref.name": "example.org/app:7"}}
    index = json.dumps({"schemaVersion": 2, "manifests": [descriptor(inner, INDEX, **named)]}).encode()
    blobs = [entry("blobs/sha256/" + digest(data)[7:], data) for data in (packed, IMAGE, body, inner)]
    await load(tar(*blobs, entry("oci-layout", b"{}"), entry("index.json", index)))
    assert stores.images.resolve("example.org/app:7").id == digest(IMAGE)


BAD = {
    "link out": [symlink("l/layer.tar", "/etc/passwd"), entry("manifest.json", manifest())],
    "link up": [symlink("l/layer.tar", "../../../etc/passwd"), entry("manifest.json", manifest())],
    "loop": [symlink("l/layer.tar", "layer.tar"), entry("manifest.json", manifest())],
    "hard link": [hardlink("l/layer.tar", "/etc/passwd"), entry("manifest.json", manifest())],
    "path up": [entry("manifest.json", manifest(["../../etc/passwd"]))],
    "absolute path": [entry("manifest.json", manifest(["/etc/passwd"]))],
    "config up": [entry("manifest.json", manifest(config="../../etc/passwd"))],
    "other layer": [entry("l/layer.tar", tar(entry("b"))), entry("manifest.json", manifest())],
    "no layer": [entry("manifest.json", manifest())],
    "more layers": [entry("l/layer.tar", LAYER), entry("manifest.json", manifest(["l/layer.tar"] * 2))],
    "no list": [entry("manifest.json", b"{}")],
    "no JSON": [entry("manifest.json", b"{" * 200_000)],
    "bad name": [entry("l/layer.tar", LAYER), entry("manifest.json", manifest(tags=["Bad Name"]))],
    "nothing": [entry("x")],
}


@pytest.mark.parametrize("parts", BAD.values(), ids=BAD)
async def test_U12_refused(stores, load, parts):
    with pytest.raises(Invalid):
        await load(tar(entry("c.json", IMAGE), *parts))
    assert stores.images.list() == []
    assert list(stores.content.incoming.iterdir()) == []


async def test_U12_device_as_layer(stores, load):
    made = entry("l/layer.tar", type=tarfile.CHRTYPE, devmajor=1, devminor=5)
    with pytest.raises(Invalid):
        await load(tar(entry("c.json", IMAGE), made, entry("manifest.json", manifest())))


async def test_no_archive(load):
    with pytest.raises(Invalid):
        await load(b"nonsense" * 200)
    with pytest.raises(Invalid):
        await load(b"")
    with pytest.raises(Invalid):
        await load(io.BytesIO(tar(entry("manifest.json", manifest()))).read()[:700])
