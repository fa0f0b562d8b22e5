"""Read a container's log, to its end or as it grows. Docker Engine API: ContainerLogs."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote_plus

from agent.engine.containers.logs.drivers import options
from agent.engine.containers.logs.files import LogFiles
from agent.engine.errors import NotSupported, System
from agent.engine.kernel.inotify import Watcher
from agent.engine.state.records import ContainerRecord
from agent.streams.ctrlog import Renderer

ALL = -1


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


def details(record: ContainerRecord) -> bytes:
    """What ``--details`` puts before each line: labels and variables that the log options name, and the tag."""
    try:
        found = options.details(record)
    except System:
        found = {}
    return ",".join(f"{quote_plus(key)}={quote_plus(found[key])}" for key in sorted(found)).encode() + b" "


def renderer(record: ContainerRecord, wanted: LogOptions, *, framed: bool = True) -> Renderer:
    """Turns the file's records into this request's bytes; those of a terminal are never framed."""
    return Renderer(
        stdout=wanted.stdout,
        stderr=wanted.stderr,
        framed=framed and not record.tty,
        timestamps=wanted.timestamps,
        since=wanted.since,
        until=wanted.until,
        details=details(record) if wanted.details else None,
    )


def check_readable(record: ContainerRecord) -> None:
    """Refuse a container whose log is not kept.

    Raises:
        NotSupported: its driver keeps nothing here.
    """
    if not options.readable(record):
        raise NotSupported("configured logging driver does not support reading")


T = TypeVar("T")


async def apart(function: Callable[[], T]) -> T:
    """Run in a thread what may take long, and see it through: the caller closes what the thread works with."""
    running = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def hold(files: LogFiles, changed: asyncio.Event) -> None:
    """The run has ended: its log may be removed before a slow reader has come to its end."""
    files.hold()
    changed.set()


class Logs:
    """Logs of all containers."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    async def read(
        self, record: ContainerRecord, wanted: LogOptions, ended: "asyncio.Future[None] | None" = None
    ) -> AsyncGenerator[bytes, None]:
        """The log as the bytes of an answer.

        Args:
            record: whose.
            wanted: which part; ``follow`` needs ``ended``.
            ended: done once nothing more can come.
        """
        files = LogFiles(Path(record.log_path))
        render = renderer(record, wanted)

        def seek() -> None:
            if wanted.tail >= 0:
                render.skip(files.seek_tail(wanted.tail))
            elif wanted.since:
                files.seek_since(wanted.since)

        try:
            await apart(seek) if files.packed else seek()
            follow = ended if wanted.follow else None
            limit = None if follow is not None else files.left()
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
        packed = files.packed
        with self._watcher.watch(files.directory) as changed:
            if ended is not None:
                ended.add_done_callback(lambda _: hold(files, changed))
            while not render.over:
                changed.clear()
                over = ended is None or ended.done()
                block = await apart(files.read) if packed else files.read()
                packed = packed and files.packed
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
