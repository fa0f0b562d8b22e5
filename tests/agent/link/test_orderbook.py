"""The order book: what it says is on disk, and a repeat is never a second order."""

import sqlite3
from pathlib import Path

import pytest

from agent.link.orderbook import KEEP_SECONDS, OrderBook, Outcome
from agent.protocol.envelopes import Envelope

DONE = Outcome("done", {"a": 1}, None, "2026-01-01T00:00:00+00:00")


def envelope(order_id: str = "o1", seq: int = 1, not_after: float = 1000.0) -> Envelope:
    return Envelope(order_id, "h", seq, "container.start", {"id": "c"}, not_after)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.sqlite3"


async def test_it_works(path: Path) -> None:
    book = OrderBook(path)
    entry = await book.take(envelope())
    assert (entry.begun_at, entry.outcome, entry.reported) == (None, None, False)
    begun = await book.begin("o1")
    assert (await book.unfinished())[0].begun_at == begun
    await book.end("o1", DONE)
    assert await book.unfinished() == []
    assert [one.outcome for one in await book.unreported()] == [DONE]
    await book.reported("o1")
    assert await book.unreported() == []
    book.close()


async def test_what_it_says_outlives_it(path: Path) -> None:
    book = OrderBook(path)
    await book.take(envelope("o2", 2))
    await book.take(envelope("o1", 1))
    await book.begin("o1")
    # no close: as after kill -9
    again = OrderBook(path)
    assert [one.order_id for one in await again.unfinished()] == ["o1", "o2"]
    assert await again.highest_seq() == 2
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_repeat_finds_the_first(path: Path) -> None:
    book = OrderBook(path)
    await book.take(envelope())
    await book.begin("o1")
    await book.end("o1", DONE)
    again = await book.take(envelope(seq=9))
    assert (again.seq, again.outcome) == (1, DONE)
    await book.end("o1", Outcome("failed", {}, None, ""))
    found = await book.find("o1")
    assert found is not None
    assert found.outcome == DONE


async def test_the_intents_time_is_the_first_ones(path: Path) -> None:
    book = OrderBook(path)
    await book.take(envelope())
    first = await book.begin("o1")
    await book.begin("o1")
    found = await book.find("o1")
    assert found is not None
    assert found.begun_at == first


async def test_only_what_can_never_come_again_is_forgotten(path: Path) -> None:
    book = OrderBook(path)
    for order_id, seq, not_after in (("old", 1, 0.0), ("open", 2, 0.0), ("new", 3, 10_000.0), ("last", 4, 0.0)):
        await book.take(envelope(order_id, seq, not_after))
        if order_id != "open":
            await book.end(order_id, DONE)
            await book.reported(order_id)
    await book.forget(KEEP_SECONDS + 1.0)
    left = {order_id for order_id in ("old", "open", "new", "last") if await book.find(order_id)}
    assert left == {"open", "new", "last"}
    assert await book.highest_seq() == 4


def test_it_is_durable_by_its_settings(path: Path) -> None:
    book = OrderBook(path)
    assert book._thread.submit(lambda: book._db.execute("PRAGMA synchronous").fetchone()[0]).result() == 2
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone()[0] == "wal"
