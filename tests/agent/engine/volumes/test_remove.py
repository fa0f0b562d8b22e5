import shutil

import pytest

from agent.engine.errors import Conflict, NotFound
from agent.engine.state.records import VolumeRecord
from tests.agent.engine.volumes.bench import Bench


async def test_it_works(bench: Bench) -> None:
    made = await bench.service.create("data")
    (bench.paths.volumes / "data" / "_data" / "file").write_text("text")
    await bench.service.remove(made.name)
    assert bench.service.list() == []
    assert not (bench.paths.volumes / "data").exists()
    assert list(bench.paths.tmp.iterdir()) == []
    assert bench.actions()[-1] == ("destroy", "data")


async def test_in_use(bench: Bench) -> None:
    await bench.service.create("data")
    record = await bench.container("one", "data")
    with pytest.raises(Conflict, match=rf"remove data: volume is in use - \[{record.id}\]"):
        await bench.service.remove("data", force=True)


async def test_missing(bench: Bench) -> None:
    with pytest.raises(NotFound, match="get nosuch: no such volume"):
        await bench.service.remove("nosuch")
    await bench.service.remove("nosuch", force=True)


async def test_a_prune_leaves_what_lies_elsewhere(bench: Bench) -> None:
    await bench.service.create("data", options={"type": "tmpfs", "device": "tmpfs"})
    await bench.volumes.save(VolumeRecord(name="far", driver="plugin", mountpoint="", created_ns=1))
    assert await bench.service.prune(lambda _: True) == ([], 0)
    assert [one.name for one in bench.service.list()] == ["data", "far"]


async def test_prune(bench: Bench) -> None:
    await bench.service.create("used")
    await bench.container("one", "used")
    await bench.service.create("named")
    (bench.paths.volumes / "named" / "_data" / "file").write_text("12345")
    nameless = await bench.service.create()
    assert await bench.service.prune(lambda volume: volume.anonymous) == ([nameless.name], 0)
    assert await bench.service.prune(lambda _: True) == (["named"], 5)
    assert [volume.name for volume in bench.service.list()] == ["used"]


async def test_a_removal_cut_short_is_finished(bench: Bench) -> None:
    await bench.service.create("data")
    shutil.rmtree(bench.paths.volumes / "data")
    again = bench.make()
    await again.recover([])
    assert again.list() == []


async def test_data_without_a_record_is_kept(bench: Bench) -> None:
    (bench.paths.volumes / "found" / "_data").mkdir(parents=True)
    again = bench.make()
    await again.recover([])
    assert again.get("found").mountpoint.endswith("found/_data")
