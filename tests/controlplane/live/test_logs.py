"""A page's log without a server: what it is told when it is too slow."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from controlplane.live import logs
from controlplane.live.loglines import Lag

PACE = 20_000
PAD = "x" * 100


class Writer:
    """A program that writes so many numbered lines a second, and how it was read."""

    def __init__(self) -> None:
        self.began = time.time()
        self.tails: list[Any] = []

    @property
    def written(self) -> int:
        return int((time.time() - self.began) * PACE)

    def frame(self, number: int) -> bytes:
        at = datetime.fromtimestamp(self.began + number / PACE, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        text = f"{at} {number} {PAD}\n".encode()
        return struct.pack(">BxxxI", 1, len(text)) + text


class Stream:
    """Lines from a number on, as quickly as they are taken."""

    def __init__(self, writer: Writer, number: int) -> None:
        self.writer, self.number = writer, max(0, number)

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            end = min(self.writer.written, self.number + 200)
            if end > self.number:
                first, self.number = self.number, end
                yield b"".join(self.writer.frame(number) for number in range(first, end))
            await asyncio.sleep(0.001)

    async def close(self) -> None: ...


class Page:
    """Takes a batch now and then. `gaps`: what is missing, what was told of it, and whether that was about so much."""

    def __init__(self) -> None:
        self.gaps: list[tuple[int, int, bool]] = []
        self.last = -1
        self._told, self._about = 0, False

    async def put_alone(self, kind: str, /, **fields: Any) -> float:
        if kind == "dropped":
            self._told += fields["lines"]
            self._about |= fields["about"]
        for line in fields["lines"] if kind == "lines" else ():
            number = int(line[2].partition(" ")[0])
            missing = number - self.last - 1 if self.last >= 0 else 0
            assert missing >= 0, "a line came twice"
            if missing or self._told:
                self.gaps.append((missing, self._told, self._about))
                self._told, self._about = 0, False
            self.last = number
        await asyncio.sleep(0.2)
        return 0.2


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Writer, Page]:
    writer, page = Writer(), Page()
    monkeypatch.setattr(logs, "PATIENCE", 0.05)
    monkeypatch.setattr(logs, "BEHIND", 1.0)
    monkeypatch.setattr(logs, "WINDOW", 1 << 40)
    made = logs._View(page, None, {"tail": "0"})  # type: ignore[arg-type]

    async def open_stream(host: Any, method: str, path: str, *, query: Mapping[str, Any]) -> Any:
        writer.tails.append(query["tail"])
        return type("Opened", (), {"status": 200, **_methods(Stream(writer, writer.written - int(query["tail"])))})()

    async def call(*_: Any, **__: Any) -> Any:
        return type("Answer", (), {"json": lambda _: {"Config": {"Tty": False}}})()

    monkeypatch.setattr(logs, "open_stream", open_stream)
    monkeypatch.setattr(logs, "call_async", call)
    made._target = type("Target", (), {"engine_id": "e", "host_id": None})()
    return made, writer, page


def _methods(stream: Stream) -> dict[str, Any]:
    return {"chunks": lambda _: stream.chunks(), "close": lambda _: stream.close()}


async def test_w3_a_slow_page_goes_on_near_the_end(view: tuple[Any, Writer, Page]) -> None:
    made, writer, page = view
    tasks = [asyncio.create_task(made.follow()), asyncio.create_task(made.send())]
    try:
        async with asyncio.timeout(60):
            while not any(about for _, _, about in page.gaps):
                assert not [task for task in tasks if task.done()]
                await asyncio.sleep(0.01)
        assert writer.written - page.last < 20 * PACE
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert writer.tails[:2] == ["0", 500]
    for missing, told, about in page.gaps:
        assert missing / 2 < told < missing * 2 if about else told == missing


def test_lag_needs_no_common_clock() -> None:
    lag = Lag()
    # history comes quicker than it was written: nothing is behind
    assert lag.took("2020-01-01T00:00:00Z", 100, 5.0) == 0
    assert lag.took("2020-01-01T00:10:00Z", 100, 6.0) == 0
    assert lag.took("2020-01-01T00:10:01Z", 100, 7.0) == 0
    assert lag.took("2020-01-01T00:10:02Z", 100, 18.0) == pytest.approx(10)
    assert lag.lines_between("2020-01-01T00:10:02Z", "2020-01-01T01:10:02Z") == pytest.approx(2392, abs=5)
    assert lag.took("no time", 1, 99.0) == 0
