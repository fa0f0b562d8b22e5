"""Which logs are rotated, and how."""

import gzip
import os
from pathlib import Path

import pytest

from agent.engine.containers.logs import files as logfiles
from agent.engine.containers.logs import rotate
from agent.engine.containers.logs.drivers import options
from agent.engine.containers.logs.drivers.options import Bounds
from agent.engine.containers.logs.files import LogFiles
from agent.engine.containers.logs.reader import LogOptions, Logs
from agent.engine.kernel.inotify import Watcher
from agent.engine.state.records import ContainerRecord


def record(path: Path, driver: str = "json-file", **options: str) -> ContainerRecord:
    given = {key.replace("_", "-"): value for key, value in options.items()}
    return ContainerRecord(
        id="a" * 64, name="aa", created_ns=1, path="", args=(), config={}, image_id="", image_ref="",
        host_config={"LogConfig": {"Type": driver, "Config": given}}, log_path=str(path),
    )  # fmt: skip


def test_bounds_are_the_drivers(tmp_path: Path) -> None:
    assert options.bounds(record(tmp_path)) == Bounds(0, 1)
    assert options.bounds(record(tmp_path, max_size="10k", max_file="3")) == Bounds(10_000, 3)
    assert options.bounds(record(tmp_path, driver="none")).files == 1
    assert options.bounds(record(tmp_path, driver="local")) == Bounds(20_000_000, 5, compress=True)
    assert options.bounds(record(tmp_path, driver="syslog", cache_max_size="1m")) == Bounds(1_000_000, 5, compress=True)


def test_files_move_up_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for turn in range(5):
        path.write_text(str(turn))
        rotate.rotate(path)
        rotate.trim(path, keep=3)
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {"log.1": "4", "log.2": "3"}


async def test_conmon_is_told(tmp_path: Path) -> None:
    path, control = tmp_path / "log", tmp_path / "ctl"
    os.mkfifo(control)
    reader = os.open(control, os.O_RDONLY | os.O_NONBLOCK)
    rotator = rotate.Rotator(list, lambda _: control)
    path.write_text("x" * 99)
    assert not await rotator.look(record(path, max_size="100"))
    path.write_text("x" * 100)
    assert await rotator.look(record(path, max_size="100"))
    assert os.read(reader, 100) == b"2 0 0\n"
    assert not path.exists()
    assert not (tmp_path / "log.1").exists()
    os.close(reader)


def line(number: int) -> bytes:
    return b"2026-01-02T03:04:05.%09d+00:00 stdout F %d\n" % (number, number)


async def test_a_packed_log_reads_as_one_that_is_not(tmp_path: Path) -> None:
    path, control = tmp_path / "log", tmp_path / "ctl"
    os.mkfifo(control)
    reader = os.open(control, os.O_RDONLY | os.O_NONBLOCK)
    rotator, kept = rotate.Rotator(list, lambda _: control), record(path, max_size="300", max_file="4", compress="true")
    following = LogFiles(path)
    followed = b""
    for number in range(40):
        with path.open("ab") as file:
            file.write(line(number))
        if number % 3 == 0:
            followed += following.read()
        await rotator.look(kept)
    while block := following.read():
        followed += block
    assert followed == b"".join(map(line, range(40)))
    following.close()
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["ctl", "log", "log.1.gz", "log.2.gz", "log.3.gz"]
    assert gzip.decompress((tmp_path / "log.2.gz").read_bytes()).startswith(b"2026")
    watcher = Watcher()

    async def read(tail: int = -1) -> list[int]:
        pieces = [piece async for piece in Logs(watcher).read(kept, LogOptions(tail=tail))]
        return [int(frame[8:]) for frame in b"".join(pieces).split(b"\n") if frame]

    whole = await read()
    assert whole == list(range(whole[0], 40))
    assert len(whole) > 18
    assert await read(tail=18) == list(range(22, 40))
    watcher.close()
    os.close(reader)


def test_a_slow_reader_is_not_robbed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = LogFiles(path)
    path.write_bytes(line(0))
    assert reader.read() == line(0)
    for number in range(1, 6):
        rotate.rotate(path)
        rotate.trim(path, keep=1)
        path.write_bytes(line(number))
    assert b"".join(iter(reader.read, b"")) == b"".join(map(line, range(1, 6)))
    rotate.trim(path, keep=1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["log"]
    reader.close()
    assert logfiles._readers == {}


def test_a_stuck_reader_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotate, "SPARE", 5 * len(line(0)))
    path = tmp_path / "log"
    path.write_bytes(line(0))
    reader = LogFiles(path)
    reader.read()
    for number in range(1, 20):
        rotate.rotate(path)
        path.write_bytes(line(number))
        rotate.trim(path, keep=1)
    assert len(list(tmp_path.iterdir())) == 5
    assert b"".join(iter(reader.read, b"")) == b"".join(map(line, range(15, 20)))
    reader.close()


@pytest.mark.parametrize("begun", [False, True])
def test_a_log_that_is_removed_is_read_to_its_end(tmp_path: Path, begun: bool) -> None:
    path = tmp_path / "log"
    for number in range(4):
        rotate.rotate(path)
        path.write_bytes(line(number))
    rotate.pack(path)
    reader = LogFiles(path)
    text = reader.read() if begun else b""
    before = len(os.listdir("/proc/self/fd"))
    reader.hold()
    for entry in tmp_path.iterdir():
        entry.unlink()
    text += b"".join(iter(reader.read, b""))
    assert text == b"".join(map(line, range(4)))
    assert reader.read() == b""
    reader.hold()
    reader.close()
    assert len(os.listdir("/proc/self/fd")) <= before
