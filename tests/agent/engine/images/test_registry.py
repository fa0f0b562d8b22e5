"""Push to and pull from Debian's docker-registry."""

import asyncio
import io
import tarfile

import pytest

from agent.engine.errors import NotFound, Unavailable
from agent.engine.images.service import ImageService
from tests.agent.engine.images.archives import entry, folder, tar
from tests.agent.engine.images.conftest import Stores, free_port, open_root


def statuses(lines: list[dict]) -> list[str]:
    return [line["status"] for line in lines if "status" in line]


@pytest.fixture
def other(tmp_path):
    """A second data root: another host."""
    opened = open_root(tmp_path / "other")
    yield opened
    opened.close()


async def pushed(images: ImageService, import_tar, hub: str, name: str, *entries) -> str:
    await import_tar(tar(*entries), f"{hub}/{name}", "1", {"Cmd": ["sh"]})
    lines: list[dict] = []
    await images.push(f"{hub}/{name}", "1", None, lines.append)
    return lines[-1]["aux"]["Digest"]


async def test_it_works(stores: Stores, other: Stores, import_tar, hub):
    digest = await pushed(stores.images, import_tar, hub, "app", folder("bin"), entry("bin/sh", b"x" * 3_000_000))
    lines: list[dict] = []
    image = await other.images.pull(f"{hub}/app:1", "", None, lines.append)
    assert image.id == stores.images.resolve(f"{hub}/app:1").id
    assert image.repo_tags == [f"{hub}/app:1"]
    assert image.repo_digests == [f"{hub}/app@{digest}"]
    said = statuses(lines)
    assert said[0] == "Pulling from app"
    assert said[-2:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {hub}/app:1"]
    order = [
        "Pulling fs layer",
        "Downloading",
        "Verifying Checksum",
        "Download complete",
        "Extracting",
        "Pull complete",
    ]
    assert [word for word in dict.fromkeys(said) if word in order] == order
    assert lines[0]["id"] == "1"
    assert (other.layers.path(image.chain_id) / "bin/sh").stat().st_size == 3_000_000
    again: list[dict] = []
    await other.images.pull(f"{hub}/app:1", "", None, again.append)
    assert statuses(again)[1:] == [
        "Already exists", f"Digest: {digest}", f"Status: Image is up to date for {hub}/app:1"
    ]  # fmt: skip
    by_digest = await other.images.pull(f"{hub}/app@{digest}", "", None, again.append)
    assert by_digest.id == image.id


async def test_push_sends_what_was_pulled(stores, other, import_tar, hub):
    digest = await pushed(stores.images, import_tar, hub, "same", entry("a", b"1"))
    await other.images.pull(f"{hub}/same:1", "", None, lambda _: None)
    await other.images.tag(f"{hub}/same:1", f"{hub}/copy", "2")
    lines: list[dict] = []
    await other.images.push(f"{hub}/copy", "", None, lines.append)
    assert lines[-1]["aux"]["Digest"] == digest
    assert "Mounted from same" in statuses(lines)
    again: list[dict] = []
    await other.images.push(f"{hub}/copy", "2", None, again.append)
    assert "Layer already exists" in statuses(again)


async def test_side_by_side(stores, other, import_tar, hub):
    await pushed(stores.images, import_tar, hub, "both", entry("a", b"1" * 500_000))
    pulls = [other.images.pull(f"{hub}/both:1", "", None, lambda _: None) for _ in range(4)]
    images = await asyncio.gather(*pulls)
    assert len({image.id for image in images}) == 1
    assert len(other.layers.records) == 1


async def test_unknown(other, hub):
    with pytest.raises(NotFound, match=f"manifest for {hub}/nosuch:x not found: manifest unknown"):
        await other.images.pull(f"{hub}/nosuch:x", "", None, lambda _: None)
    assert other.images.list() == []


async def test_registry_down(other):
    port = free_port()
    with pytest.raises(Unavailable, match=f'Get "http://127.0.0.1:{port}/v2/": dial tcp 127.0.0.1:{port}'):
        await other.images.pull(f"127.0.0.1:{port}/x:1", "", None, lambda _: None)


async def test_all_tags(stores, other, import_tar, hub):
    await pushed(stores.images, import_tar, hub, "many", entry("a", b"1"))
    await stores.images.tag(f"{hub}/many:1", f"{hub}/many", "2")
    await stores.images.push(f"{hub}/many", "", None, lambda _: None)
    await other.images.pull_all_tags(f"{hub}/many", "", None, lambda _: None)
    assert other.images.list()[0].repo_tags == [f"{hub}/many:1", f"{hub}/many:2"]


async def test_save_and_load(stores, other, import_tar, hub):
    image = await import_tar(tar(entry("a", b"1")), "app", "1", {"Cmd": ["sh"]})
    await stores.images.tag("app:1", "app", "2")
    archive = b"".join([chunk async for chunk in stores.images.save(["app"])])
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert {"manifest.json", "index.json", "oci-layout", "repositories"} <= set(opened.getnames())

    async def chunks():
        yield archive

    lines: list[dict] = []
    await other.images.load(chunks(), lines.append)
    assert [line["stream"] for line in lines if "stream" in line] == [
        "Loaded image: app:1\n", "Loaded image: app:2\n"
    ]  # fmt: skip
    assert other.images.resolve("app:2").id == image.id
