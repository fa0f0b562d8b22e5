"""Power cuts, kills and full disks: a name leads to the old image or to the new one, never to half of one."""

import asyncio
import os
import subprocess
import sys

import pytest

from agent.engine.errors import NoSpace
from agent.engine.images.unpack import Limits
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.conftest import open_root
from tests.agent.engine.images.fake_registry import fake_registry

ONE, TWO = tar(entry("one", os.urandom(200_000))), tar(entry("two", os.urandom(200_000)))
PULL = """
import asyncio, sys
from pathlib import Path
from tests.agent.engine.images.conftest import open_root
asyncio.run(open_root(Path(sys.argv[1])).images.pull(sys.argv[2], "", None, lambda line: print(line, flush=True)))
"""


async def test_killed_at_every_step(tmp_path):
    """A pull in another process, killed after each line that it reports; then the root is opened anew."""
    async with fake_registry() as fake:
        fake.image(ONE, TWO)
        ref = f"{fake.address}/app:1"
        for lines in range(0, 14, 2):
            root = tmp_path / f"root{lines}"
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", PULL, str(root), ref, stdout=subprocess.PIPE, cwd=os.getcwd()
            )
            for _ in range(lines):
                await child.stdout.readline()
            child.kill()
            await child.wait()
            await asyncio.sleep(0.05)
            stores = open_root(root)
            assert list(stores.content.incoming.iterdir()) == []
            for name in stores.images.list():
                assert len(stores.layers.lineage(name.chain_id)) == 2
            blobs = len(list(stores.content.digests()))
            before = len(fake.requests)
            await stores.images.pull(ref, "", None, lambda _: None)
            fetched = sum("/blobs/" in path for _, path, _ in fake.requests[before:])
            assert fetched == max(0, 3 - blobs), "verified blobs are not fetched again"
            stores.close()


async def test_what_a_crash_left_is_gone(tmp_path):
    stores = open_root(tmp_path / "root")
    stores.layers.scratch()
    (stores.layers.folder / "0123").mkdir()
    blob = stores.content.ingest()
    blob.write(b"half")
    (stores.root / "snapshots/half/upper").mkdir(parents=True)
    stores.close()
    again = open_root(tmp_path / "root")
    assert [path.name for path in again.layers.folder.iterdir()] == ["empty"]
    assert list(again.content.incoming.iterdir()) == []
    assert list((again.root / "snapshots").iterdir()) == []
    assert list((again.root / "tmp/layers").iterdir()) == []
    again.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MiB in a loop file."""
    image, where = tmp_path / "disk", tmp_path / "small"
    where.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 24 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(where)], check=True)
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


@pytest.mark.parametrize("size", [30 << 20, 13 << 20])
async def test_disk_full(small_disk, size):
    """While the blob comes, and while it is unpacked."""
    stores = open_root(small_disk / "root", Limits(floor=0))
    big = tar(entry("big", os.urandom(size)))
    async with fake_registry() as fake:
        fake.image(big)
        with pytest.raises(NoSpace, match=r"(?i)no space left"):
            await stores.images.pull(f"{fake.address}/app:1", "", None, lambda _: None)
        assert stores.images.list() == []
        assert list((stores.root / "tmp/layers").iterdir()) == []
        assert list(stores.content.incoming.iterdir()) == []
        await stores.images.prune(dangling=True, matches=lambda labels, created: True)
        for digest in list(stores.content.digests()):
            stores.content.delete(digest)
        fake.image(ONE)
        await stores.images.pull(f"{fake.address}/app:1", "", None, lambda _: None)
    stores.close()
