"""One SQLite file, one thread that writes it.

WAL with ``synchronous=FULL``: what ``write`` returned from survives a power cut. Writes that wait together are
committed together, so that twenty starts at once pay for few syncs. Reading happens at start only; afterwards memory
answers.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.engine.errors import EngineError, NoSpace, System
from agent.engine.state.migrations import migrate
from agent.engine.state.reserve import Reserve

QUIET = 60.0
PAUSES = (0.0, 0.05, 0.2, 0.5)
Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Item:
    statements: Sequence[Statement]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"
    vital: bool

    def settle(self, outcome: EngineError | None) -> None:
        self.loop.call_soon_threadsafe(_settle, self.future, outcome)


def _translated(error: sqlite3.Error) -> EngineError:
    if "full" in str(error):
        return NoSpace(f"no space left on device: {error}; free space on the data root's disk")
    return System(f"the state could not be written: {error}")


class Database:
    """The connection and its writer thread."""

    def __init__(self, path: Path) -> None:
        """Open, migrate, start the thread.

        Raises:
            System: the file is no database, or of a newer engine.
        """
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            migrate(self._connection)
        except sqlite3.Error as error:
            raise System(f"{path} cannot be opened: {error}") from error
        self.when_full: Callable[[], object] = lambda: None
        """Called on the loop when the disk is found full, at most once a minute."""
        self._told = -QUIET
        self._reserve = Reserve(path.parent / "reserve")
        self._reserve.have()
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._thread.start()

    def read(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows. For start-up: it blocks, and must not run beside a write."""
        return self._connection.execute(statement, parameters).fetchall()

    async def write(self, statements: Sequence[Statement], *, vital: bool = False) -> None:
        """Commit these statements, all or none of them, and return when they are on the disk.

        Args:
            statements: each with its parameters.
            vital: part of stopping or removing: may use the reserve of a full disk.

        Raises:
            NoSpace: the disk is full; nothing was written.
            System: SQLite refused; nothing was written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._queue.put(_Item(statements, loop, future, vital))
        # Shielded: the commit goes on when the caller is cancelled, so memory and disk stay one.
        await asyncio.shield(future)

    def close(self) -> None:
        """Finish what is queued and close the file."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        ending = False
        while not ending:
            batch: list[_Item] = []
            item = self._queue.get()
            while True:
                if item is None:
                    ending = True
                    break
                batch.append(item)
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Item]) -> None:
        if not self._reserve.have():
            self._tell(batch[0])
            for item in batch:
                if not item.vital:
                    item.settle(NoSpace("no space left on device: free space on the data root's disk"))
            batch = [item for item in batch if item.vital]
        outcomes = self._transaction(batch)
        full = [item for item, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, NoSpace)]
        if full:
            self._tell(full[0])
        if vital := [item for item in full if item.vital]:
            again = self._insist(vital)
            outcomes = [again.get(id(item), outcome) for item, outcome in zip(batch, outcomes, strict=True)]
        for item, outcome in zip(batch, outcomes, strict=True):
            item.settle(outcome)

    def _insist(self, vital: list[_Item]) -> dict[int, EngineError | None]:
        """Write what must be written with the reserve's blocks, or with those that something else is just freeing."""
        self._reserve.give_up()
        found: dict[int, EngineError | None] = {}
        for pause in PAUSES:
            time.sleep(pause)
            found |= zip(map(id, vital), self._transaction(vital), strict=True)
            vital = [item for item in vital if isinstance(found[id(item)], NoSpace)]
            if not vital:
                break
        return found

    def _tell(self, item: _Item) -> None:
        if time.monotonic() - self._told > QUIET:
            self._told = time.monotonic()
            item.loop.call_soon_threadsafe(self.when_full)

    def _transaction(self, batch: Sequence[_Item]) -> list[EngineError | None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(item.statements) for item in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return [_translated(error)] * len(batch)
        return outcomes

    def _apply(self, statements: Sequence[Statement]) -> EngineError | None:
        self._connection.execute("SAVEPOINT item")
        try:
            for statement, parameters in statements:
                self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO item")
            self._connection.execute("RELEASE item")
            return _translated(error)
        self._connection.execute("RELEASE item")
        return None


def _settle(future: "asyncio.Future[None]", outcome: EngineError | None) -> None:
    if future.done():
        return
    if outcome is None:
        future.set_result(None)
    else:
        future.set_exception(outcome)
