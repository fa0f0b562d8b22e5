"""One SQLite file, one thread that writes it.

WAL with ``synchronous=FULL``: what ``write`` returned from survives a power cut. Writes that wait together are
committed together, so that twenty starts at once pay for few syncs. Reading happens at start only; afterwards memory
answers.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.engine.errors import EngineError, NoSpace, System
from agent.engine.state.migrations import migrate

Statement = tuple[str, tuple[Any, ...]]
_Item = tuple[Sequence[Statement], asyncio.AbstractEventLoop, "asyncio.Future[None]"]


def _translated(error: sqlite3.Error) -> EngineError:
    if "full" in str(error):
        return NoSpace(f"the state could not be written: {error}; free space on the data root's disk")
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
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)
        self._thread.start()

    def read(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows. For start-up: it blocks, and must not run beside a write."""
        return self._connection.execute(statement, parameters).fetchall()

    async def write(self, statements: Sequence[Statement]) -> None:
        """Commit these statements, all or none of them, and return when they are on the disk.

        Raises:
            NoSpace: the disk is full; nothing was written.
            System: SQLite refused; nothing was written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._queue.put((statements, loop, future))
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
        outcomes: list[EngineError | None] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(statements) for statements, _, _ in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            outcomes = [_translated(error)] * len(batch)
        for (_, loop, future), outcome in zip(batch, outcomes, strict=True):
            loop.call_soon_threadsafe(_settle, future, outcome)

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
