"""Which logs are rotated, and how."""

import gzip
import os
from pathlib import Path

from agent.engine.containers import rotate
from agent.engine.containers.logdrivers import options
from agent.engine.containers.logdrivers.options import Bounds
from agent.engine.containers.logfiles import LogFiles
from agent.engine.containers.logs import LogOptions, Logs
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
        rotate.rotate(path, keep=3)
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
