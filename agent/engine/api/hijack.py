"""Take a connection over from HTTP: after the head both sides send raw bytes, and each may close its half alone.

Docker Engine API: ContainerAttach, ExecStart ("Hijacking"). aiohttp's own protocol closes at the client's half-close,
so ours replaces it on the transport. The client's last bytes, our close after the last byte, and a client that does not
read are all ordinary here. A client must read the head before it sends: aiohttp drops what follows an upgrade request.
"""

import asyncio
import contextlib
import fcntl
import select
import socket
import struct
import termios
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from aiohttp import web

from agent.engine.api.middleware import HEADERS

T = TypeVar("T")

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
MULTIPLEXED_SINCE = (1, 42)

# Bytes from the client that may lie unread before we stop receiving.
RECEIVE = 64 * 1024
# Bytes to the client that may lie unsent before a writer waits.
SEND = 256 * 1024
# Seconds for the client to end its half after ours.
LINGER = 0.2
# Seconds for the client to read what is queued once there will be no more.
PATIENCE = 60.0
# The same, when the engine itself is about to stop.
HASTE = 1.0
# Pauses between looks whether the client has read the head.
LOOKS = (0.0, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


class Connection(asyncio.Protocol):
    """The raw connection: read until the client's half ends, write until ours is closed."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._received = bytearray()
        self._ended = self._paused = False
        self._fresh = True
        self._hangup: select.epoll | None = None
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.gone = asyncio.Event()
        """The connection is lost, or closed on both sides."""
        transport.set_write_buffer_limits(high=SEND)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._readable.set()
        if len(self._received) > RECEIVE and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client will send no more: keep the transport open, for it may go on reading, or be gone."""
        self._ended = True
        self._readable.set()
        self._watch_for_hangup()
        return True

    def _watch_for_hangup(self) -> None:
        """A half-closed socket and one whose peer has gone both read as ended; only the hang-up tells them apart, and
        the loop does not look for it. An epoll of its own that asks for nothing else becomes readable with it.
        """
        descriptor = self._transport.get_extra_info("socket").fileno()
        if descriptor < 0 or self._hangup is not None:
            return
        self._hangup = select.epoll()
        self._hangup.register(descriptor, 0)
        asyncio.get_running_loop().add_reader(self._hangup, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._hangup is not None:
            asyncio.get_running_loop().remove_reader(self._hangup)
            self._hangup.close()
        self._ended = True
        self.gone.set()
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def read(self) -> bytes:
        """The client's next bytes; empty once its half has ended."""
        while not self._received and not self._ended:
            self._readable.clear()
            await self._readable.wait()
        data = bytes(self._received)
        self._received.clear()
        if self._paused and not self._ended:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send; waits while the client does not read.

        Raises:
            ConnectionResetError: the client has gone.
        """
        if self._fresh:
            self._fresh = False
            await self._head_read()
        if self.gone.is_set():
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)
        await self._writable.wait()

    async def _head_read(self) -> None:
        """Give the client a moment to take the head alone. Many read it through a buffer, docker-py among them, and
        lose what came along with it when they go on with the bare socket.
        """
        link = self._transport.get_extra_info("socket")
        if link is None or link.family != socket.AF_UNIX:
            return
        for pause in LOOKS:
            with contextlib.suppress(OSError):
                (unread,) = struct.unpack("i", fcntl.ioctl(link.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
                if not unread:
                    return
            await asyncio.sleep(pause)

    def send(self, data: bytes) -> None:
        """Queue bytes without waiting: for what is short."""
        if not self.gone.is_set():
            self._transport.write(data)

    async def close(self, patience: float = PATIENCE) -> None:
        """Send what is queued, then close; the end that demultiplexing readers wait for.

        Our half ends first, and the client has a moment to end its own: one that still writes would otherwise be told
        of a broken pipe instead of the end.
        """
        if self.gone.is_set():
            return
        self._transport.resume_reading()
        self._transport.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while not self._ended:
                    self._readable.clear()
                    await self._readable.wait()
        self._transport.close()
        try:
            await asyncio.wait_for(self.gone.wait(), patience)
        except TimeoutError:
            self._transport.abort()


class _Taken(web.StreamResponse):
    """Stands for the answer that has already been given on the raw connection."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


def content_type(request: web.Request, tty: bool) -> str:
    """What the stream is called; framed streams have a name of their own since 1.42."""
    return RAW if tty or request["version"] < MULTIPLEXED_SINCE else MULTIPLEXED


def head(request: web.Request, kind: str, headers: Mapping[str, str]) -> bytes:
    """``101 UPGRADED`` for who asked to upgrade, ``200 OK`` for the rest."""
    upgrade = "Upgrade" in request.headers
    fields: Mapping[str, str] = {"Content-Type": kind} | (
        {"Connection": "Upgrade", "Upgrade": "tcp"} if upgrade else {"Connection": "close"}
    )
    first = "HTTP/1.1 101 UPGRADED" if upgrade else "HTTP/1.1 200 OK"
    return "\r\n".join([first, *(f"{key}: {value}" for key, value in {**fields, **headers}.items()), "", ""]).encode()


class Hijack:
    """The block in which a handler owns its request's connection; return ``answer`` from the handler afterwards.

    The request's body must have been read. Leaving the block closes the connection.
    """

    def __init__(self, request: web.Request, kind: str, headers: Mapping[str, str] = HEADERS) -> None:
        self._request, self._kind, self._headers = request, kind, headers
        self.answer: web.StreamResponse = _Taken()

    async def __aenter__(self) -> Connection:
        transport = self._request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        self._old = self._request.protocol
        self._connection = Connection(transport)
        transport.set_protocol(self._connection)
        transport.resume_reading()
        self._connection.send(head(self._request, self._kind, self._headers))
        return self._connection

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        await self._connection.close(HASTE if isinstance(error, asyncio.CancelledError) else PATIENCE)
        # aiohttp still counts the connection as its own; this lets go of it once the handler has returned.
        asyncio.get_running_loop().call_soon(self._old.connection_lost, None)


async def until_gone(connection: Connection, work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work as long as the client is there; None if it went away first."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(connection.gone.wait())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
