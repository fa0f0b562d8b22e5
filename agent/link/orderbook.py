"""The host's order book: what was taken, what was begun, how it ended. On disk before any effect.

    taken ──begin──▶ begun ──end──▶ ended ──reported──▶ (kept until it could not come again, then forgotten)

SQLite in WAL mode with `synchronous=FULL`: each of these steps is on disk when the call returns. One thread does all
of it, off the event loop.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from agent.protocol.envelopes import Envelope

# how long a reported order is remembered past its not_after, by the server's clock
KEEP_SECONDS: Final = 24 * 3600

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    op TEXT NOT NULL,
    args TEXT NOT NULL,
    not_after REAL NOT NULL,
    begun_at INTEGER,
    state TEXT,
    outcome TEXT,
    reported INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS orders_open ON orders (reported, seq);
"""


@dataclass(frozen=True)
class Outcome:
    """How an order ended: `done` with a result, or another end state with a problem."""

    state: str
    result: dict[str, Any]
    problem: dict[str, Any] | None
    finished_at: str


@dataclass(frozen=True)
class Entry:
    """One order as the book has it. `begun_at` is nanoseconds of this host's clock, None before the intent."""

    order_id: str
    seq: int
    op: str
    args: dict[str, Any]
    not_after: float
    begun_at: int | None
    outcome: Outcome | None
    reported: bool


class OrderBook:
    """The journal of one host. Methods return once the fact is on disk."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="orderbook")
        self._db = self._thread.submit(_open, path).result()

    async def take(self, envelope: Envelope) -> Entry:
        """Write an order down, or find the one that was: a repeat is never a second order."""

        def work() -> Entry:
            with self._db:
                self._db.execute(
                    "INSERT INTO orders (order_id, seq, op, args, not_after) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (order_id) DO NOTHING",
                    (envelope.order_id, envelope.seq, envelope.op, json.dumps(envelope.args), envelope.not_after),
                )
            found = self._find(envelope.order_id)
            assert found is not None
            return found

        return await self._run(work)

    async def begin(self, order_id: str) -> int:
        """The intent: from here on there may be an effect. Returns its time."""
        now = time.time_ns()

        def work() -> None:
            with self._db:
                self._db.execute(
                    "UPDATE orders SET begun_at = ? WHERE order_id = ? AND begun_at IS NULL", (now, order_id)
                )

        await self._run(work)
        return now

    async def end(self, order_id: str, outcome: Outcome) -> None:
        """How it ended; written once, before anybody is told."""

        def work() -> None:
            with self._db:
                self._db.execute(
                    "UPDATE orders SET state = ?, outcome = ? WHERE order_id = ? AND state IS NULL",
                    (outcome.state, json.dumps(outcome.__dict__), order_id),
                )

        await self._run(work)

    async def reported(self, order_id: str) -> None:
        """The control plane has the outcome."""

        def work() -> None:
            with self._db:
                self._db.execute("UPDATE orders SET reported = 1 WHERE order_id = ? AND state IS NOT NULL", (order_id,))

        await self._run(work)

    async def find(self, order_id: str) -> Entry | None:
        """One order, if it was ever taken."""
        return await self._run(lambda: self._find(order_id))

    async def unfinished(self) -> list[Entry]:
        """Orders without an end, in sequence."""
        return await self._run(lambda: self._select("state IS NULL"))

    async def unreported(self) -> list[Entry]:
        """Orders whose end the control plane has not confirmed, in sequence."""
        return await self._run(lambda: self._select("state IS NOT NULL AND reported = 0"))

    async def highest_seq(self) -> int:
        """The newest order that this host knows of, 0 for none."""

        def work() -> int:
            return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM orders").fetchone()[0])

        return await self._run(work)

    async def forget(self, server_now: float) -> None:
        """Drop what was reported and would be refused as expired if it came again; the newest stays for its seq."""

        def work() -> None:
            with self._db:
                self._db.execute(
                    "DELETE FROM orders WHERE reported = 1 AND not_after < ? AND seq < (SELECT max(seq) FROM orders)",
                    (server_now - KEEP_SECONDS,),
                )

        await self._run(work)

    def close(self) -> None:
        self._thread.submit(self._db.close).result()
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        # shielded: a cancelled caller must not leave it unknown whether a write is still to come
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def _find(self, order_id: str) -> Entry | None:
        rows = self._select("order_id = ?", order_id)
        return rows[0] if rows else None

    def _select(self, where: str, *values: str) -> list[Entry]:
        rows = self._db.execute(
            "SELECT order_id, seq, op, args, not_after, begun_at, outcome, reported FROM orders "  # noqa: S608
            f"WHERE {where} ORDER BY seq",
            values,
        )
        return [
            Entry(
                order_id,
                seq,
                op,
                json.loads(args),
                not_after,
                begun_at,
                Outcome(**json.loads(outcome)) if outcome else None,
                bool(reported),
            )
            for order_id, seq, op, args, not_after, begun_at, outcome, reported in rows
        ]


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = sqlite3.connect(path)
    path.chmod(0o600)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(_SCHEMA)
    return db
