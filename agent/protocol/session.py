"""Streams with `await` over a Mux, for both ends of the link.

No IO of its own: the connection's owner passes a coroutine that sends one binary message, and feeds what arrives.
Frames leave in the order in which they were made, also when many tasks send.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from agent.protocol import mux
from agent.protocol.mux import WINDOW, Mux, Side, StreamClosed

Send = Callable[[bytes], Awaitable[None]]
OnOpen = Callable[["Stream", str, dict[str, Any]], None]


class Stream:
    """One byte stream. Read by one task and written by one task at a time."""

    def __init__(self, session: Session, ident: int) -> None:
        self.ident = ident
        self._session = session
        self._chunks: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._credit = asyncio.Event()
        self._accepted: dict[str, Any] | None = None
        self._ended = False
        self._failure: StreamClosed | None = None
        self._ungranted = 0

    async def accept(self, head: dict[str, Any]) -> None:
        """Take a stream that the other side opened."""
        await self._session.send(lambda: self._session.mux.accept(self.ident, head))

    async def accepted(self) -> dict[str, Any]:
        """Wait until the other side took the stream; its head.

        Raises:
            StreamClosed: it was refused, or the link ended.
        """
        while self._accepted is None:
            await self._woken()
        return self._accepted

    async def read(self) -> bytes:
        """The next bytes, empty at the end.

        Raises:
            StreamClosed: the stream was reset, or the link ended.
        """
        while not self._chunks:
            if self._ended:
                return b""
            await self._woken()
        chunk = self._chunks.popleft()
        self._ungranted += len(chunk)
        if self._ungranted >= WINDOW // 2:
            amount, self._ungranted = self._ungranted, 0
            await self._session.send(lambda: self._session.mux.consumed(self.ident, amount))
        return chunk

    async def write(self, data: bytes) -> None:
        """Send all of `data`, waiting for credit.

        Raises:
            StreamClosed: the stream was reset or ended, or the link ended.
        """
        view = memoryview(data)
        while view:
            self._raise_failure()
            self._credit.clear()
            room = self._session.mux.credit(self.ident)
            if not room:
                await self._credit.wait()
                continue
            piece, view = bytes(view[:room]), view[room:]
            await self._session.send(lambda piece=piece: self._session.mux.data(self.ident, piece))  # type: ignore[misc]

    async def end(self) -> None:
        """Say that nothing more will be written."""

        def make() -> bytes | None:
            message = self._session.mux.end(self.ident)
            self._session.forget_finished(self.ident)
            return message

        await self._session.send(make)

    async def reset(self, code: str, message: str = "") -> None:
        """End both directions now. Safe to call at any time, also twice."""
        self.failed(StreamClosed(code, message))
        self._session.forget(self.ident)
        await self._session.send(lambda: self._session.mux.reset(self.ident, code, message))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    async def _woken(self) -> None:
        self._raise_failure()
        self._wake.clear()
        await self._wake.wait()
        if not self._chunks:
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # Called by the session as frames arrive.

    def took(self, head: dict[str, Any]) -> None:
        self._accepted = head
        self._wake.set()

    def arrived(self, data: bytes) -> None:
        self._chunks.append(data)
        self._wake.set()

    def ended(self) -> None:
        self._ended = True
        self._wake.set()

    def credited(self) -> None:
        self._credit.set()

    def failed(self, why: StreamClosed) -> None:
        if self._failure is None:
            self._failure = why
        self._wake.set()
        self._credit.set()


class Session:
    """All streams of one connection."""

    def __init__(self, side: Side, send: Send, on_open: OnOpen) -> None:
        self.mux = Mux(side)
        self._send = send
        self._on_open = on_open
        self._streams: dict[int, Stream] = {}
        self._lock = asyncio.Lock()
        self._sending: asyncio.Task[None] | None = None
        self._closed: StreamClosed | None = None

    async def open(self, target: str, head: dict[str, Any]) -> Stream:
        """Open a stream to the other side; `accepted()` tells its answer.

        Raises:
            StreamClosed: the link is gone, or has too many streams.
        """
        if self._closed is not None:
            raise self._closed
        opened: list[Stream] = []

        def make() -> bytes:
            ident, message = self.mux.open(target, head)
            stream = self._streams[ident] = Stream(self, ident)
            opened.append(stream)
            return message

        try:
            await self.send(make)
        except asyncio.CancelledError:
            if opened:
                await opened[0].reset("cancelled")
            raise
        return opened[0]

    async def send(self, make: Callable[[], bytes | None]) -> None:
        """Make a frame and send it, in one step as far as the other tasks see.

        A frame that was made counts in the mux, so it leaves also when the caller is cancelled meanwhile.
        """
        await self._lock.acquire()
        try:
            message = make() if self._closed is None else None
        except BaseException:
            self._lock.release()
            raise
        if message is None:
            self._lock.release()
            return
        self._sending = asyncio.create_task(self._sent(message))
        await asyncio.shield(self._sending)

    async def _sent(self, message: bytes) -> None:
        try:
            await self._send(message)
        finally:
            self._lock.release()

    def feed(self, message: bytes) -> None:
        """Take one binary message from the wire.

        Raises:
            MuxError: the other side broke the rules; close the connection.
        """
        for event in self.mux.receive(message):
            if isinstance(event, mux.Opened):
                stream = self._streams[event.stream] = Stream(self, event.stream)
                self._on_open(stream, event.target, event.head)
                continue
            known = self._streams.get(event.stream)
            if known is None:
                continue
            match event:
                case mux.Accepted():
                    known.took(event.head)
                case mux.Data():
                    known.arrived(event.data)
                case mux.Ended():
                    known.ended()
                    self.forget_finished(event.stream)
                case mux.Credited():
                    known.credited()
                case mux.Reset():
                    known.failed(StreamClosed(event.code, event.message))
                    self.forget(event.stream)

    def forget_finished(self, ident: int) -> None:
        """Drop a stream whose two directions have ended."""
        if not self.mux.is_live(ident):
            self.forget(ident)

    def forget(self, ident: int) -> None:
        """Drop a stream that is over."""
        self._streams.pop(ident, None)

    def close(self, code: str = "link_lost", message: str = "the link to the host was lost") -> None:
        """The connection is gone: every stream fails."""
        self._closed = StreamClosed(code, message)
        streams, self._streams = list(self._streams.values()), {}
        for stream in streams:
            stream.failed(self._closed)
