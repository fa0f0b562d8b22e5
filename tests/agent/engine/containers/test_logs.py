"""Reading a log: whole, its tail, across rotation, and as it grows."""

import asyncio
import gc
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.engine.containers.logs.files import LogFiles
from agent.engine.containers.logs.reader import LogOptions, Logs, check_readable
from agent.engine.errors import NotSupported
from agent.engine.kernel.inotify import Watcher
from agent.engine.state.records import ContainerRecord


def record(path: Path, *, tty: bool = True, driver: str = "json-file", **options: str) -> ContainerRecord:
    return ContainerRecord(
        id="a" * 64,
        name="a",
        created_ns=1,
        path="sh",
        args=(),
        config={"Tty": tty, "Labels": {"app": "web", "tier": "1"}, "Env": ["Q=1"]},
        host_config={"LogConfig": {"Type": driver, "Config": options}},
        image_id="sha256:0",
        image_ref="busy",
        log_path=str(path),
    )


def line(text: str, stream: str = "stdout") -> bytes:
    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9))
    return f"{stamp}.{now % 10**9:09d}+00:00 {stream} F {text}\n".encode()


async def read(path: Path, ended: Any = None, **options: Any) -> bytes:
    watcher = Watcher()
    try:
        return b"".join([data async for data in Logs(watcher).read(record(path), LogOptions(**options), ended)])
    finally:
        watcher.close()


async def test_whole_tail_and_none(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert await read(path) == b""
    path.write_bytes(b"".join(line(str(n)) for n in range(10)))
    assert await read(path) == b"".join(b"%d\n" % n for n in range(10))
    assert await read(path, tail=2) == b"8\n9\n"
    assert await read(path, tail=0) == b""


async def test_rotated_files_are_one_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for name, numbers in (("log.2", "01"), ("log.1", "23"), ("log", "45")):
        (tmp_path / name).write_bytes(b"".join(map(line, numbers)))
    assert await read(path) == b"0\n1\n2\n3\n4\n5\n"
    assert await read(path, tail=3) == b"3\n4\n5\n"
    assert await read(path, tail=5) == b"1\n2\n3\n4\n5\n"
    assert await read(path, tail=50) == b"0\n1\n2\n3\n4\n5\n"


async def test_since_finds_its_file_and_place(tmp_path: Path) -> None:
    for name, hour in (("log.2", 1), ("log.1", 2), ("log", 3)):
        lines = (
            f"2026-01-02T{hour:02d}:{n // 60:02d}:{n % 60:02d}.000000000+00:00 stdout F {hour}-{n}\n"
            for n in range(3000)
        )
        (tmp_path / name).write_text("".join(lines))
    begin = int(datetime(2026, 1, 2, 2, 49, 58, tzinfo=UTC).timestamp()) * 10**9
    found = (await read(tmp_path / "log", since=begin)).decode().split()
    assert (found[0], found[1], found[2], found[-1], len(found)) == ("2-2998", "2-2999", "3-0", "3-2999", 3002)
    files = LogFiles(tmp_path / "log")
    files.seek_since(begin)
    assert len(files.read()) <= 2 * 65536
    files.close()


async def test_following_through_rotations_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(read(path, ended, follow=True))
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for n in range(300):
        os.write(out, line(str(n)))
        if n % 70 == 69:
            # As conmon does it: the name goes first, the writer follows a moment later.
            if (tmp_path / "log.1").exists():
                (tmp_path / "log.1").rename(tmp_path / "log.2")
            path.rename(tmp_path / "log.1")
            os.write(out, line(f"late{n}"))
            new = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.close(out)
            out = new
        if n % 7 == 0:
            await asyncio.sleep(0.002)
    os.close(out)
    ended.set_result(None)
    expected = []
    for n in range(300):
        expected += [str(n), f"late{n}"] if n % 70 == 69 else [str(n)]
    assert (await asyncio.wait_for(reading, 30)).decode().split() == expected


async def test_a_follower_hears_of_a_line_within_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line("old"))
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watcher = Watcher()
    stream = Logs(watcher).read(record(path), LogOptions(follow=True, tail=0), ended)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    begin = time.perf_counter()
    with path.open("ab") as file:
        file.write(line("new"))
    assert await asyncio.wait_for(first, 20) == b"new\n"
    assert time.perf_counter() - begin < 2
    ended.set_result(None)
    assert [data async for data in stream] == []
    watcher.close()


async def test_a_plain_read_ends_though_the_writer_does_not(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line("x") * 10)
    watcher, count = Watcher(), 0
    async for _ in Logs(watcher).read(record(path), LogOptions()):
        count += 1
        with path.open("ab") as file:
            file.write(line("more") * 10)
    assert count <= 3
    watcher.close()


async def test_details_name_what_the_options_name(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line("x"))
    watcher = Watcher()
    given = record(path, labels="app,nosuch", env="Q")
    assert b"".join([d async for d in Logs(watcher).read(given, LogOptions(details=True))]) == b"Q=1,app=web x\n"
    assert b"".join([d async for d in Logs(watcher).read(record(path), LogOptions(details=True))]) == b" x\n"
    watcher.close()


@pytest.mark.parametrize(
    ("driver", "readable"), [("json-file", True), ("local", True), ("none", False), ("syslog", True)]
)
def test_drivers(tmp_path: Path, driver: str, readable: bool) -> None:
    if readable:
        check_readable(record(tmp_path, driver=driver))
    else:
        with pytest.raises(NotSupported, match="does not support reading"):
            check_readable(record(tmp_path, driver=driver))


async def test_a_thousand_followers_leave_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line("x"))
    watcher = Watcher()
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with watcher.watch(tmp_path):
        gc.collect()  # what earlier tests left to it is none of ours
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(1000):
            stream = Logs(watcher).read(record(path), LogOptions(follow=True), ended)
            assert await anext(stream) == b"x\n"
            await stream.aclose()
        assert len(os.listdir("/proc/self/fd")) <= before
    watcher.close()


def test_the_reader_starts_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line("old"))
    files = LogFiles(path)
    files.seek_end()
    assert files.read() == b""
    with path.open("ab") as file:
        file.write(line("new"))
    assert b"new" in files.read()
    files.close()
