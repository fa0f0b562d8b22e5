from pathlib import Path

from agent.engine.kernel import mounts
from agent.engine.state.records import Status
from tests.agent.engine.volumes.bench import Bench


async def test_a_directory(bench: Bench) -> None:
    await bench.service.create("data")
    assert await bench.service.acquire("data", "c1") == bench.paths.volumes / "data" / "_data"
    await bench.service.release("data", "c1")
    assert bench.actions() == [("create", "data"), ("mount", "data"), ("unmount", "data")]


async def test_tmpfs_is_mounted_while_somebody_runs(bench: Bench) -> None:
    await bench.service.create("data", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m,nosuid"})
    path = await bench.service.acquire("data", "c1")
    await bench.service.acquire("data", "c2")
    assert mounts.filesystem_of(path) == "tmpfs"
    assert sum(mount.target == str(path) for mount in mounts.mounted()) == 1
    await bench.service.release("data", "c1")
    await bench.service.release("data", "c1")
    assert mounts.is_mounted(path)
    await bench.service.release("data", "c2")
    assert not mounts.is_mounted(path)


async def test_bind(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("text")
    await bench.service.create("data", options={"type": "none", "o": "bind", "device": str(tmp_path / "elsewhere")})
    path = await bench.service.acquire("data", "c1")
    assert (path / "file").read_text() == "text"
    await bench.service.release("data", "c1")
    await bench.service.remove("data")
    assert (tmp_path / "elsewhere" / "file").read_text() == "text"


async def test_it_survives_the_engine(bench: Bench) -> None:
    await bench.service.create("data", options={"type": "tmpfs", "device": "tmpfs"})
    record = await bench.container("one", "data")
    path = await bench.service.acquire("data", record.id)
    again = bench.make()
    await again.recover([record.with_state(status=Status.RUNNING)])
    assert mounts.is_mounted(path)
    await again.release("data", record.id)
    assert not mounts.is_mounted(path)


async def test_what_nobody_holds_any_more_is_unmounted(bench: Bench) -> None:
    await bench.service.create("data", options={"type": "tmpfs", "device": "tmpfs"})
    path = await bench.service.acquire("data", "gone")
    await bench.make().recover([])
    assert not mounts.is_mounted(path)
