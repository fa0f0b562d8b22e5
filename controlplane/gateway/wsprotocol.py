"""uvicorn's WebSocket protocol with the limits that it lacks: pings, messages that never end, and bytes on their way.

Named in the Procfile: `--ws controlplane.gateway.wsprotocol:CountingProtocol`. Size, UTF-8 and compression are
uvicorn's own to refuse (1009, 1007, 1002).
"""

import asyncio
import socket
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

PINGS_PER_SECOND: Final = 100
MESSAGE_SECONDS: Final = 1.0
POLICY: Final = 1008
UNSENT: Final = 16 * 1024
"""Bytes of one connection that the kernel holds and has not sent. Its own bound is megabytes: a page behind a thin wire
would answer pings too late and see for minutes what is long past, and nobody here would know that it is slow."""


class CountingProtocol(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._second = 0.0
        self._pings = 0
        self._unfinished: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is on its way short."""
        super().connection_made(transport)
        # as little as goes: with a limit of 0 a TLS transport would never go on
        self.transport.set_write_buffer_limits(high=1, low=0)
        own = transport.get_extra_info("socket")
        if own is not None and own.family in {socket.AF_INET, socket.AF_INET6}:
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)

    def handle_ping(self) -> None:
        """Answer, unless there were too many within this second."""
        now = self.loop.time()
        if now - self._second >= 1.0:
            self._second, self._pings = now, 0
        self._pings += 1
        if self._pings > PINGS_PER_SECOND:
            self._refuse("too many pings")
            return
        super().handle_ping()

    def handle_text(self, event: Frame) -> None:
        """Begin a message."""
        self._began(event)
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Begin a message."""
        self._began(event)
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Go on with a message."""
        if event.fin:
            self._finished()
        super().handle_cont(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._finished()
        super().connection_lost(exc)

    def _began(self, event: Frame) -> None:
        self._finished()
        if not event.fin:
            self._unfinished = self.loop.call_later(MESSAGE_SECONDS, self._refuse, "a message that never ends")

    def _finished(self) -> None:
        if self._unfinished is not None:
            self._unfinished.cancel()
            self._unfinished = None

    def _refuse(self, reason: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": POLICY, "reason": reason})
        self.conn.fail(POLICY, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
