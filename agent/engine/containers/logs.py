"""Read a container's log, to its end or as it grows.

conmon writes ``<id>-json.log``; rotation renames it to ``.1``, ``.2`` … and conmon opens a new one. A reader keeps its
file open and goes from file to file, so that a rotation under its eyes neither loses nor repeats a line. Docker Engine
API: ContainerLogs.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import Invalid
from agent.engine.kernel.inotify import Watcher
from agent.engine.state.records import ContainerRecord
from agent.streams import ctrlog, tail
from agent.streams.ctrlog import Renderer

BLOCK = 256 * 1024
ALL = -1
READABLE = frozenset({"json-file", "local", ""})


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What of the log is wanted; times in nanoseconds since the epoch, 0 for no bound."""

    stdout: bool = True
    stderr: bool = True
    follow: bool = False
    timestamps: bool = False
    since: int = 0
    until: int = 0
    tail: int = ALL
    details: bool = False


class LogFiles:
    """The files of one log, oldest first, read as one that may grow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    @property
    def directory(self) -> Path:
        """Where the files lie."""
        return self._path.parent

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _name(self, number: int) -> Path:
        return self._path if number == 0 else self._path.with_name(f"{self._path.name}.{number}")

    def _oldest(self) -> int:
        number = 0
        while self._name(number + 1).exists():
            number += 1
        return number

    def _open(self, number: int, offset: int = 0) -> bool:
        try:
            descriptor = os.open(self._name(number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self.close()
        self._descriptor = descriptor
        if offset:
            os.lseek(descriptor, offset, os.SEEK_SET)
        return True

    def seek_end(self) -> None:
        """Begin behind all that is written by now."""
        if self._open(0):
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def seek_tail(self, lines: int) -> int:
        """Begin with the last lines, in older files if the newest has too few.

        Returns:
            How many lines that end behind that place are not among them.
        """
        number, oldest = 0, self._oldest()
        while self._open(number):
            size = os.fstat(self._descriptor).st_size
            found = tail.start(lambda at, length: os.pread(self._descriptor, length, at), size, lines)
            lines = found.missing
            if lines == 0 or number >= oldest:
                os.lseek(self._descriptor, found.offset, os.SEEK_SET)
                return found.skip
            number += 1
        return 0

    def seek_since(self, nanoseconds: int) -> None:
        """Begin shortly before the first record of that time, in the oldest file that has one."""
        stamp, number = ctrlog.stamp(nanoseconds), 0
        while self._open(number):
            size = os.fstat(self._descriptor).st_size
            offset = tail.since(lambda at, length: os.pread(self._descriptor, length, at), size, stamp)
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            if offset > 0 or not self._name(number + 1).exists():
                return
            number += 1

    def size(self) -> int:
        """Bytes in all files."""
        return sum(self._name(n).stat().st_size for n in range(self._oldest() + 1) if self._name(n).exists())

    def read(self) -> bytes:
        """The next bytes; empty at what is the end for now."""
        if self._descriptor < 0 and not self._open(self._oldest()):
            return b""
        while not (data := os.read(self._descriptor, BLOCK)):
            newer = self._newer()
            if newer is None:
                return b""
            # The old file's writer has left it; what it wrote before that may have come since our last look.
            if data := os.read(self._descriptor, BLOCK):
                return data
            if not self._open(newer):
                return b""
        return data

    def _newer(self) -> int | None:
        """Number of the file that follows the open one; None where the open one is the newest."""
        mine = os.fstat(self._descriptor)
        found: list[int] = []
        for number in range(self._oldest() + 1):
            try:
                there = self._name(number).stat()
            except FileNotFoundError:
                if number == 0:
                    return None  # renamed away and not yet made anew: the writer still has the old one
                continue
            if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                return number - 1 if number else None
            found.append(number)
        # Ours has been rotated away altogether: go on with the oldest that is left.
        return found[-1] if found else None


def details(record: ContainerRecord) -> bytes:
    """What ``--details`` puts before each line: labels and variables that the log options name."""
    options = (record.host_config.get("LogConfig") or {}).get("Config") or {}
    found: dict[str, str] = {}
    for key in filter(None, options.get("labels", "").split(",")):
        if key in record.labels:
            found[key] = record.labels[key]
    environment = dict(entry.partition("=")[::2] for entry in record.config.get("Env") or [])
    for key in filter(None, options.get("env", "").split(",")):
        if key in environment:
            found[key] = environment[key]
    return ",".join(f"{key}={found[key]}" for key in sorted(found)).encode() + b" "


def renderer(record: ContainerRecord, options: LogOptions) -> Renderer:
    """Turns the file's records into this request's bytes."""
    return Renderer(
        stdout=options.stdout,
        stderr=options.stderr,
        framed=not record.tty,
        timestamps=options.timestamps,
        since=options.since,
        until=options.until,
        details=details(record) if options.details else None,
    )


def check_readable(record: ContainerRecord) -> None:
    """Refuse a container whose log is not kept.

    Raises:
        Invalid: its driver is ``none`` or one that we cannot read back.
    """
    driver = (record.host_config.get("LogConfig") or {}).get("Type", "")
    if driver not in READABLE:
        raise Invalid("configured logging driver does not support reading")


class Logs:
    """Logs of all containers."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    async def read(
        self, record: ContainerRecord, options: LogOptions, ended: "asyncio.Future[None] | None" = None
    ) -> AsyncGenerator[bytes, None]:
        """The log as the bytes of an answer.

        Args:
            record: whose.
            options: which part; ``follow`` needs ``ended``.
            ended: done once nothing more can come.
        """
        files = LogFiles(Path(record.log_path))
        render = renderer(record, options)
        try:
            if options.tail >= 0:
                render.skip(files.seek_tail(options.tail))
            elif options.since:
                files.seek_since(options.since)
            limit = None if options.follow and ended is not None else files.size()
            follow = ended if options.follow else None
            async for data in self.pump(files, render, follow, limit):
                yield data
            if data := render.end():
                yield data
        finally:
            files.close()

    async def pump(
        self,
        files: LogFiles,
        render: Renderer,
        ended: "asyncio.Future[None] | None",
        limit: int | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Rendered blocks from where the files stand.

        Args:
            files: opened at the wanted place.
            render: makes the answer's bytes.
            ended: follow until this is done and all is read; None: stop at the end.
            limit: read about this many bytes at most, so that a fast writer cannot keep a plain read going.
        """
        with self._watcher.watch(files.directory) as changed:
            if ended is not None:
                ended.add_done_callback(lambda _: changed.set())
            while not render.over:
                changed.clear()
                over = ended is None or ended.done()
                block = files.read()
                if not block:
                    if over:
                        return
                    await changed.wait()
                    continue
                if data := render.feed(block):
                    yield data
                if limit is not None:
                    limit -= len(block)
                    if limit <= 0:
                        return
                await asyncio.sleep(0)
