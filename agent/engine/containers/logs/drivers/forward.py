"""Send a container's log on, to syslog or journald, out of conmon's file.

A follower reads the file and notes in a ledger, message by message, how far it has come. So nothing is lost or sent
twice when the engine dies, and a server that is away for a while gets all that the file still holds. What is to be
forwarded lies beside the log, and outlives the container's record until all is sent.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from agent.engine.containers.logs.drivers import journald, options, sinks, syslog, tags
from agent.engine.containers.logs.drivers.messages import Cutter
from agent.engine.containers.logs.files import LogFiles
from agent.engine.containers.logs.reader import apart
from agent.engine.errors import Invalid, System
from agent.engine.kernel import files as disk
from agent.engine.kernel.inotify import Watcher
from agent.engine.kernel.ledger import BATCH, Ledger
from agent.engine.state.records import ContainerRecord
from agent.streams import ctrlog
from agent.streams.joining import Piece

log = logging.getLogger(__name__)

RECORD, LEDGER = "forward.json", "forwarded"
LAST_PATIENCE = 3.0
"""Seconds that a removed container's last lines wait for a server that does not answer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class WhenEnded(Protocol):
    """A container's id → done once its run is over and its output written; at once where none runs."""

    def __call__(self, container_id: str, /) -> "asyncio.Task[None]": ...


class Forwarding:
    """The followers of all containers.

    Args:
        directory: a container's id → where its log lies.
        watcher: tells of new lines.
        when_ended: see there.
        journal: journald's socket.
    """

    def __init__(
        self, directory: Callable[[str], Path], watcher: Watcher, when_ended: WhenEnded, journal: Path
    ) -> None:
        self._directory, self._watcher, self._when_ended, self._journal = directory, watcher, when_ended, journal
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    async def prepare(self, record: ContainerRecord) -> None:
        """Judge a container's log options before it starts, and try its server.

        Raises:
            System: in dockerd's words.
        """
        options.check_start(record)
        driver, _ = options.config(record)
        if driver not in options.FORWARDED:
            return
        try:
            tags.tag(record, tags.DEFAULT)
            sink = await self._connect(record)
        except (System, Invalid) as error:
            raise System(f"failed to initialize logging driver: {error}") from error
        sink.close()
        disk.write(self._directory(record.id) / RECORD, msgspec.json.encode(record))

    def follow(self, container_id: str) -> None:
        """Send what there is and what comes, until the run is over and all is sent."""
        if not (self._directory(container_id) / RECORD).exists():
            return
        if container_id in self._tasks:
            self._again.add(container_id)
            return
        task = self._tasks[container_id] = asyncio.create_task(
            self._run(container_id), name=f"log of {container_id[:12]}"
        )
        task.add_done_callback(lambda done: self._ended(container_id, done))

    def resume(self, container_ids: Iterable[str]) -> None:
        """Go on where a forerunner of this engine stopped."""
        for container_id in container_ids:
            self.follow(container_id)

    async def drained(self, container_id: str) -> None:
        """Wait, not for long, until all is sent; then the files may go."""
        self.follow(container_id)
        task = self._tasks.get(container_id)
        if task is not None:
            await asyncio.wait([task], timeout=LAST_PATIENCE)
            task.cancel()

    async def close(self) -> None:
        """Stop; the ledgers know where."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, container_id: str, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(container_id, None)
        self._again.discard(container_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("log of %s is not forwarded: %s", container_id[:12], error, exc_info=error)

    async def _run(self, container_id: str) -> None:
        directory = self._directory(container_id)
        with contextlib.closing(Ledger(directory / LEDGER)) as ledger:
            while True:
                self._again.discard(container_id)
                record = msgspec.json.decode((directory / RECORD).read_bytes(), type=ContainerRecord)
                ended = self._when_ended(container_id)
                try:
                    await self._forward(record, ledger, ended)
                finally:
                    ended.cancel()
                if container_id not in self._again:
                    break
        (directory / RECORD).unlink(missing_ok=True)

    async def _forward(self, record: ContainerRecord, ledger: Ledger, ended: "asyncio.Task[None]") -> None:
        files, sending = LogFiles(Path(record.log_path)), _Sending(self._connect, record, ledger)
        object_, place = ledger.at
        cutter = Cutter(place)
        if object_ and not files.seek(object_, cutter.offset):
            log.warning("log of %s: lines that were never forwarded have been rotated away", record.name)
            object_ = 0
        try:
            with self._watcher.watch(files.directory) as changed:
                ended.add_done_callback(lambda _: changed.set())
                while True:
                    changed.clear()
                    over = ended.done()
                    block = await apart(files.read) if files.packed else files.read()
                    while block and not files.object:
                        await asyncio.sleep(_FIRST_PAUSE)
                        block += files.read()
                    if block and files.object != object_:
                        # Another file, at its beginning: what hung over from the last one will not be completed.
                        await sending.deliver(cutter.end())
                        object_, cutter = files.object, Cutter(0)
                        ledger.move(object_, 0)
                    if block:
                        await sending.deliver(cutter.feed(block))
                        await asyncio.sleep(0)
                    elif over:
                        await sending.deliver(cutter.end())
                        ledger.move(object_, cutter.place)
                        return
                    else:
                        await changed.wait()
        finally:
            files.close()
            sending.close()

    async def _connect(self, record: ContainerRecord) -> sinks.Sink:
        driver, given = options.config(record)
        if driver == options.JOURNALD:
            return await sinks.journal(self._journal)
        return await sinks.connect(syslog.address(given.get("syslog-address", "")), given)


class _Sending:
    """The connection of one follower, made again whenever it breaks."""

    def __init__(
        self,
        connect: Callable[[ContainerRecord], Awaitable[sinks.Sink]],
        record: ContainerRecord,
        ledger: Ledger,
    ) -> None:
        self._connect, self._record, self._ledger = connect, record, ledger
        self._message = message_maker(record)
        self._sink: sinks.Sink | None = None
        self._pause = 0.0

    async def deliver(self, pieces: Iterable[tuple[Piece, int]]) -> None:
        """Send all, however long it takes."""
        found = [(self._message(piece), place) for piece, place in pieces if piece.text]
        messages, after = [message for message, _ in found], [place for _, place in found]
        at = 0
        while at < len(messages):
            try:
                if self._sink is None:
                    self._sink = await self._connect(self._record)
                at += await self._sink.send(self._ledger, messages[at : at + BATCH], after[at : at + BATCH])
                self._pause = 0.0
            except (OSError, System, Invalid) as error:
                if self._pause == _FIRST_PAUSE:
                    log.warning("log of %s waits for its server: %s", self._record.name, error)
                self.close()
                await asyncio.sleep(self._pause)
                self._pause = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, 2 * self._pause))

    def close(self) -> None:
        """Let go of the connection."""
        if self._sink is not None:
            self._sink.close()
            self._sink = None


def message_maker(record: ContainerRecord) -> Callable[[Piece], bytes]:
    """What a piece of the log is to the container's server."""
    driver, given = options.config(record)
    tag = tags.tag(record, tags.DEFAULT)
    if driver == options.JOURNALD:
        entry = journald.formatter(record, tag, options.attributes(record))
        return lambda piece: entry(piece, ctrlog.in_utc(piece.time))
    line = syslog.formatter(given, tag)

    def message(piece: Piece) -> bytes:
        time = datetime.fromisoformat(ctrlog.in_utc(piece.time)[:26].decode()).replace(tzinfo=UTC)
        return line(piece.stream, time.timestamp(), piece.text)

    return message
