"""``docker import``."""

import gzip

import pytest

from agent.engine.errors import Invalid, NotFound
from tests.agent.engine.images.archives import entry, folder, tar


async def test_it_works(stores, import_tar):
    image = await import_tar(tar(folder("bin"), entry("bin/sh", b"#!")), "busy", "", {"Cmd": ["sh"]})
    assert image.repo_tags == ["busy:latest"]
    assert image.size == 2
    assert image.defaults["Cmd"] == ["sh"]
    found = stores.images.resolve("busy")
    assert found.id == image.id == stores.images.resolve(image.id[7:19]).id == stores.images.resolve(image.id).id
    assert (stores.layers.path(image.chain_id) / "bin/sh").read_bytes() == b"#!"


async def test_packed(stores, import_tar):
    plain = tar(entry("a", b"x"))
    one, two = await import_tar(plain, "a"), await import_tar(gzip.compress(plain), "b")
    assert one.chain_id == two.chain_id


async def test_no_archive(stores, import_tar):
    with pytest.raises(Invalid, match="Error processing tar file"):
        await import_tar(b"nonsense" * 100, "bad")
    with pytest.raises(NotFound, match="No such image: bad:latest"):
        stores.images.resolve("bad")
    assert not list(stores.content.digests())
    assert not list((stores.root / "tmp/layers").iterdir())
