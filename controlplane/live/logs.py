"""`/ws/containers/{id}/logs`: one container's log, resumed by time and count, never ahead of what the page can take.

A cut on the way to the host is healed here: the stream is opened anew at the last line's time, inclusive, and as many
lines of exactly that time are skipped as were sent. A page that lost its own socket does the same with `from=<at>~<k>`.

Of what a page is too slow for, the oldest leaves, counted. Reading on only to count would cost host and link as much as
a quick page does, so one that falls far behind goes on near the end, and is told about how many lines lie between.
"""

import asyncio
import re
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from controlplane.common import rights
from controlplane.common.errors import EngineFailed, Invalid, NotFound, Refusal, Unavailable
from controlplane.gateway.dial import HostStream, call_async, engine_refusal, open_stream
from controlplane.live import target
from controlplane.live.loglines import Lag, Line, Lines, NotFramed, engine_time
from controlplane.live.socket import BAD_MESSAGE, Closed, Socket, until_first

WINDOW: Final = 5_000
"""Lines sent and not yet acknowledged, at most."""
BATCH: Final = 64
BATCH_SECONDS: Final = 0.05
PATIENCE: Final = 2.0
"""How long a full window holds the reader up, before the oldest lines that wait are dropped."""
BEHIND: Final = 60.0
"""How many seconds a page may fall behind before it goes on near the end."""
_NEAR_THE_END: Final = 500
_WAITING_BYTES: Final = 384 * 1024
"""What waits for one page, as it lies in memory; W3 allows 1.5 MiB for all that a slow page costs."""
_LINE_COST: Final = 200
"""A line's time, its tuple and its place in the queue."""
_FIRST_BATCH: Final = 4 * 1024
_SMALLEST_BATCH: Final = 1024
_LARGEST_BATCH: Final = 128 * 1024
_QUICK: Final = 0.1
_SLOW: Final = 0.5
_DROPPED: Final = "dropped"
_ABOUT: Final = "about"
_MARKS: Final = frozenset({_DROPPED, _ABOUT})
"""In place of a stream's name: so many lines are missing here, or about so many."""
_HEAL_SECONDS: Final = 60.0
_PAUSE: Final = 0.5
_TAIL_MOST: Final = 100_000
_FROM: Final = re.compile(r"([0-9TZ:.+-]{20,40})~(\d{1,9})")


async def serve(socket: Socket, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Send the log until its end, or until the page leaves."""
    found = await target.container(socket, parts["id"], rights.CONTAINERS_LOGS)
    view = _View(socket, found, query)
    await until_first(view.follow(), view.send(), view.read())


class _Behind(Exception):
    """The page takes less than is written, and is far behind by now."""


class _View:
    """One page's log."""

    def __init__(self, socket: Socket, found: target.Target, query: Mapping[str, str]) -> None:
        self._socket = socket
        self._target = found
        self._stream = _choice(query.get("stream", ""))
        self._query = _first_query(query)
        # where the stream has come to: the last line's time, and how many lines of exactly that time came
        self._at, self._count = _resume_point(query.get("from", ""))
        self._skip = self._count
        self._lag = Lag()
        self._dropping = False
        # where the page was left behind, until the first line near the end has come
        self._left_at = ""
        self._waiting: deque[Line] = deque()
        self._bytes = 0
        self._unacked = 0
        self._pace = _Pace()
        self._paused = False
        self._came = asyncio.Event()
        self._went = asyncio.Event()

    # From the host.

    async def follow(self) -> None:
        """Read the log, over cuts and restarts."""
        lost_since: float | None = None
        while True:
            try:
                opened = await self._open()
                lost_since = None
                await self._read_stream(opened)
            except _Behind:
                self._left_at = self._at
                continue
            except (Unavailable, NotFramed) as error:
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > _HEAL_SECONDS or not self._at:
                    if isinstance(error, Refusal):
                        raise
                    raise EngineFailed("The engine's log cannot be read") from None
                await asyncio.sleep(_PAUSE)
                continue
            await self._ended()

    async def _open(self) -> HostStream:
        query: dict[str, Any] = {
            "follow": 1,
            "timestamps": 1,
            "stdout": int(self._stream != "e"),
            "stderr": int(self._stream != "o"),
        }
        if self._left_at:
            query["tail"] = _NEAR_THE_END
        elif self._at:
            query |= {"since": engine_time(self._at), "tail": "all"}
        else:
            query |= self._query
        self._skip = 0 if self._left_at else self._count
        path = f"/containers/{self._target.engine_id}"
        inspect = (await call_async(self._target.host_id, "GET", f"{path}/json")).json()
        self._tty = bool(inspect["Config"].get("Tty"))
        opened = await open_stream(self._target.host_id, "GET", f"{path}/logs", query=query)
        if opened.status >= 400:
            with suppress(Refusal):
                await opened.close()
            raise engine_refusal(opened.status, "The engine refuses its log")
        return opened

    async def _read_stream(self, opened: HostStream) -> None:
        lines = Lines(self._tty)
        resumed_at = self._at
        try:
            async for chunk in opened.chunks():
                taken = 0
                for line in lines.feed(chunk):
                    if not self._seen_before(line, resumed_at):
                        await self._take(line)
                        taken += 1
                lag = self._lag.took(self._at, taken, time.monotonic()) if taken else 0.0
                if self._dropping and lag > BEHIND:
                    raise _Behind
                self._dropping = False
            for line in lines.rest():
                if not self._seen_before(line, resumed_at):
                    await self._take(line)
        finally:
            await opened.close()

    def _seen_before(self, line: Line, resumed_at: str) -> bool:
        """Skip the lines of the time at which the stream was resumed that came already."""
        if self._left_at:
            if line[0] <= self._left_at:
                return True
            self._go_on_at(line[0])
        if self._skip and line[0] == resumed_at:
            self._skip -= 1
            return True
        return False

    async def _take(self, line: Line) -> None:
        if line[0] == self._at:
            self._count += 1
        else:
            self._at, self._count = line[0], 1
        end = time.monotonic() + PATIENCE
        while self._bytes >= _WAITING_BYTES:
            self._went.clear()
            try:
                async with asyncio.timeout(max(0.0, end - time.monotonic())):
                    await self._went.wait()
            except TimeoutError:
                self._drop()
        self._waiting.append(line)
        self._bytes += _cost(line)
        self._came.set()

    def _drop(self) -> None:
        """Let the older half of what waits go, with a mark where it stood."""
        self._dropping = True
        self._let_go(max(1, len(self._waiting) // 2))

    def _go_on_at(self, at: str) -> None:
        """Let all that waits go: the next line is one near the end."""
        self._let_go(len(self._waiting), self._lag.lines_between(self._left_at, at))
        self._left_at = ""

    def _let_go(self, number: int, more: int = 0) -> None:
        """Leave the oldest out, with a mark where they stood; `more`: about so many after them, which never came."""
        lost, kind = more, _ABOUT if more else _DROPPED
        for _ in range(number):
            line = self._waiting.popleft()
            self._bytes -= _cost(line)
            lost += int(line[0]) if line[1] in _MARKS else 1
            kind = _ABOUT if line[1] == _ABOUT else kind
        mark = (str(lost), kind, "")
        self._waiting.appendleft(mark)
        self._bytes += _cost(mark)

    async def _ended(self) -> None:
        """The log's end: wait until it goes on, if ever."""
        while self._waiting:
            self._went.clear()
            await self._went.wait()
        now = await self._state()
        if not now.get("Running"):
            self._socket.put("end", exit_code=now.get("ExitCode"), at=now.get("FinishedAt"))
        while not now.get("Running"):
            await asyncio.sleep(_PAUSE * 2)
            record = await target.again(self._target.id)
            if record.engine_id != self._target.engine_id:
                raise NotFound("The container was replaced")
            if target.running(record):
                now = await self._state()
        self._socket.put("mark", kind="restarted", at=now.get("StartedAt") or datetime.now(UTC).isoformat())

    async def _state(self) -> dict[str, Any]:
        try:
            answer = await call_async(self._target.host_id, "GET", f"/containers/{self._target.engine_id}/json")
        except Unavailable:
            return {"Running": True}
        except NotFound:
            self._socket.put("end", exit_code=self._target.exit_code)
            raise Closed(1000, "the container was removed") from None
        return dict(answer.json()["State"])

    # To the page.

    async def send(self) -> None:
        """Send in batches, within the window."""
        while True:
            self._came.clear()
            if not self._waiting or self._unacked >= WINDOW or self._paused:
                await self._came.wait()
                continue
            if len(self._waiting) < BATCH:
                await asyncio.sleep(BATCH_SECONDS)
            mark, batch = self._next_batch()
            self._went.set()
            if mark is not None:
                await self._socket.put_alone("dropped", lines=int(mark[0]), about=mark[1] == _ABOUT)
            if batch:
                self._pace.took(await self._socket.put_alone("lines", n=len(batch), lines=batch))

    def _next_batch(self) -> tuple[Line | None, list[Line]]:
        """The mark of lines that are missing before the next ones, if any are, and those."""
        mark, size = None, 0
        batch: list[Line] = []
        while self._waiting and len(batch) < min(BATCH, WINDOW - self._unacked) and size < self._pace.size:
            if self._waiting[0][1] in _MARKS and (batch or mark):
                break
            line = self._waiting.popleft()
            self._bytes -= _cost(line)
            if line[1] in _MARKS:
                mark = line
                continue
            size += len(line[2])
            batch.append(line)
        self._unacked += len(batch)
        return mark, batch

    async def read(self) -> None:
        """Take acknowledgements."""
        while True:
            message = await self._socket.read()
            if isinstance(message, bytes):
                raise Closed(BAD_MESSAGE, "no bytes here")
            match message["type"]:
                case "ack":
                    n = message.get("n")
                    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
                        raise Closed(BAD_MESSAGE, "ack needs a number")
                    self._unacked = max(0, self._unacked - n)
                case "pause":
                    self._paused = True
                case "resume":
                    self._paused = False
                case "pong":
                    pass
                case _:
                    raise Closed(BAD_MESSAGE, "no such message")
            self._came.set()


class _Pace:
    """How many bytes a batch may have: few for a page that takes them slowly, so that little goes before what comes."""

    def __init__(self) -> None:
        self.size = _FIRST_BATCH

    def took(self, seconds: float) -> None:
        """A batch has left, after that long."""
        if seconds < _QUICK:
            self.size = min(self.size * 2, _LARGEST_BATCH)
        elif seconds > _SLOW:
            self.size = max(self.size // 2, _SMALLEST_BATCH)


def _cost(line: Line) -> int:
    return sys.getsizeof(line[2]) + _LINE_COST


def _first_query(query: Mapping[str, str]) -> dict[str, Any]:
    tail = query.get("tail", "500")
    if tail != "all" and not (tail.isdecimal() and int(tail) <= _TAIL_MOST):
        raise Invalid(f"tail must be a number up to {_TAIL_MOST}, or all")
    found: dict[str, Any] = {"tail": tail}
    if query.get("since"):
        found["since"] = _time(query["since"])
    return found


def _resume_point(text: str) -> tuple[str, int]:
    if not text:
        return "", 0
    match = _FROM.fullmatch(text.replace(" ", "+"))
    if match is None:
        raise Invalid("from must be <at>~<k>")
    _time(match[1])
    return match[1], int(match[2])


def _time(text: str) -> str:
    try:
        return engine_time(text.replace(" ", "+"))
    except ValueError:
        raise Invalid("not an RFC 3339 time") from None


def _choice(text: str) -> str:
    choices = {"": "", "stdout": "o", "stderr": "e", "o": "o", "e": "e"}
    if text not in choices:
        raise Invalid("stream must be stdout or stderr")
    return choices[text]
