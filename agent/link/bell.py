"""The doorbell's wire: the link's own Celery speaks to a unix socket here, the link carries the bytes to Redis.

A connection that comes while the link is down is held until it is up, so that Celery waits instead of backing off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from agent.protocol.mux import StreamClosed
from agent.protocol.session import Stream

log = logging.getLogger("longshore.link.bell")

# opens a `bell` stream, waiting for the link if it is down
OpenStream = Callable[[], Awaitable[Stream]]


class BellServer:
    """Listens for Celery; every connection becomes one stream."""

    def __init__(self, path: Path, open_stream: OpenStream) -> None:
        self._path = path
        self._open = open_stream
        self._server: asyncio.Server | None = None
        self._joined: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, for this user only."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._connected, str(self._path))
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Hang up on Celery, which ends a BRPOP that waits."""
        if self._server is not None:
            self._server.close()
        for task in list(self._joined):
            task.cancel()
        await asyncio.gather(*self._joined, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer), name="bell")
        self._joined.add(task)
        task.add_done_callback(self._joined.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            stream = await self._open()
            await stream.accepted()
        except StreamClosed as closed:
            log.warning("the bell was refused: %s", closed)
            # Celery comes back at once; do not let it spin
            await asyncio.sleep(1.0)
            writer.close()
            return
        except BaseException:
            writer.close()
            raise
        both = [asyncio.create_task(_up(reader, stream)), asyncio.create_task(_down(stream, writer))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            writer.close()
            await stream.reset("closed")


async def _up(reader: asyncio.StreamReader, stream: Stream) -> None:
    try:
        while chunk := await reader.read(32 * 1024):
            await stream.write(chunk)
    except (StreamClosed, OSError):
        pass


async def _down(stream: Stream, writer: asyncio.StreamWriter) -> None:
    try:
        async for chunk in stream:
            writer.write(chunk)
            await writer.drain()
    except (StreamClosed, OSError):
        pass
