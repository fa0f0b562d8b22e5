"""Writable layers over an image's layers."""

from pathlib import Path

import pytest

from agent.engine.errors import NotFound
from agent.engine.state.db import Database
from agent.engine.storage import initlayer
from agent.engine.storage.changes import Kind
from agent.engine.storage.layers import Layers
from agent.engine.storage.snapshots import Snapshots
from agent.engine.storage.trash import Trash


@pytest.fixture
async def parts(tmp_path: Path):
    database = Database(tmp_path / "engine.db")
    trash = Trash(tmp_path / "trash")
    layers = Layers(database, tmp_path / "layers", tmp_path / "tmp", trash)
    snapshots = Snapshots(tmp_path / "snapshots", layers, trash)
    yield layers, snapshots
    for key in list(snapshots._chains):
        await snapshots.remove(key)
    snapshots.close()
    database.close()


async def layer(layers: Layers, parent: str, files: dict[str, str]) -> str:
    folder = layers.scratch()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    digest = f"sha256:{len(layers.records) + 1:064x}"
    return (await layers.adopt(folder, diff_id=digest, parent=parent, size=1)).id


def seen(merged: Path) -> list[str]:
    """What is there, without what is in every container."""
    every = {*initlayer.DIRECTORIES, *initlayer.FILES, *initlayer.LINKS}
    return [name for path in merged.rglob("*") if (name := str(path.relative_to(merged))) not in every]


async def test_it_works(parts):
    layers, snapshots = parts
    below = await layer(layers, "", {"etc/a": "1", "etc/b": "2", "gone/x": "3"})
    top = await layer(layers, below, {"etc/b": "3"})
    await snapshots.prepare("one", top)
    await snapshots.prepare("one", top)
    merged = await snapshots.mount("one")
    assert merged == await snapshots.mount("one") == snapshots.merged("one")
    assert (merged / "etc/a").read_text() + (merged / "etc/b").read_text() == "13"
    (merged / "etc/a").write_text("changed")
    (merged / "new").mkdir()
    (merged / "new/file").write_text("12345")
    (merged / "gone/x").unlink()
    (merged / "gone").rmdir()
    assert await snapshots.changes("one") == [
        ("/etc", Kind.MODIFIED), ("/etc/a", Kind.MODIFIED), ("/gone", Kind.DELETED), ("/new", Kind.ADDED),
        ("/new/file", Kind.ADDED),
    ]  # fmt: skip
    assert await snapshots.usage("one") == 12
    await snapshots.unmount("one")
    await snapshots.unmount("one")
    await snapshots.remove("one")
    await snapshots.remove("one")
    assert not snapshots.path("one").exists()


@pytest.mark.parametrize("move", [False, True])
async def test_commit(parts, move):
    layers, snapshots = parts
    below = await layer(layers, "", {"etc/a": "1", "dir/x": "3"})
    await snapshots.prepare("one", below)
    merged = await snapshots.mount("one", volatile=True)
    (merged / "new").write_text("hello")
    (merged / "etc/a").unlink()
    (merged / "dir/x").unlink()
    (merged / "dir").rmdir()
    (merged / "dir").mkdir()
    (merged / "dir/y").write_text("4")
    done = await snapshots.commit("one", move=move)
    await snapshots.prepare("two", done.chain_id)
    again = await snapshots.mount("two")
    assert sorted(seen(again)) == ["dir", "dir/y", "new"]
    assert done.size == 6
    assert snapshots.path("one").exists() != move


async def test_many_layers(parts):
    layers, snapshots = parts
    chain = ""
    for number in range(127):
        chain = await layer(layers, chain, {f"f{number}": str(number)})
    await snapshots.prepare("deep", chain)
    assert len(seen(await snapshots.mount("deep"))) == 127


async def test_scratch_and_missing(parts):
    _, snapshots = parts
    await snapshots.prepare("empty", "")
    assert seen(await snapshots.mount("empty")) == []
    with pytest.raises(NotFound):
        await snapshots.prepare("other", "sha256:" + "0" * 64)
    with pytest.raises(NotFound):
        await snapshots.mount("nosuch")


async def test_what_is_below_every_image(parts):
    layers, snapshots = parts
    chain = await layer(layers, "", {"etc/hosts": "the image's"})
    await snapshots.prepare("one", chain)
    merged = await snapshots.mount("one")
    assert (merged / "etc/hosts").read_text() == "the image's"
    assert (merged / "etc/resolv.conf").stat().st_mode & 0o777 == 0o755
    assert (merged / "etc/mtab").is_symlink()
    assert (merged / "dev/pts").is_dir()
    assert (merged / ".dockerenv").exists()
    assert await snapshots.changes("one") == []
    (merged / "etc/hostname").write_text("changed")
    assert await snapshots.changes("one") == [("/etc", Kind.MODIFIED), ("/etc/hostname", Kind.MODIFIED)]
