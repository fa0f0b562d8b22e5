"""The API over TCP, for clients that show a certificate of the administrator's authority. Off unless asked for; there
is no TCP without it, since whoever reaches the API is root on this host.

asyncio's TLS closes a connection at the client's half-close, which ``docker run -i`` needs. So TLS ends here, by hand,
and its bytes are passed to the unix socket and back, each half closed when the other side closes it.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from agent.engine.config import TcpDoor
from agent.engine.errors import Invalid

BLOCK = 64 * 1024
# Seconds for a stranger to prove that he is none.
HANDSHAKE = 10.0
# Strangers at a time.
STRANGERS = 64


def context(door: TcpDoor) -> ssl.SSLContext:
    """TLS that demands a certificate of the client.

    Raises:
        Invalid: a file is not there, or not what it should be.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_mode = ssl.CERT_REQUIRED
    try:
        made.load_verify_locations(door.authority)
        made.load_cert_chain(door.certificate, door.key)
    except OSError as error:
        raise Invalid(f"TLS for {door.host}:{door.port}: {error}") from error
    return made


async def listen(door: TcpDoor, socket: Path) -> asyncio.Server:
    """Pass connections of proved clients to the unix socket.

    Raises:
        Invalid: the files or the address cannot be used.
    """
    trusted = context(door)
    strangers: set[_Client] = set()
    try:
        return await asyncio.get_running_loop().create_server(
            lambda: _Client(trusted, socket, strangers), door.host, door.port
        )
    except OSError as error:
        raise Invalid(f"cannot listen on {door.host}:{door.port}: {error}") from error


class _Side(asyncio.Protocol):
    """One of the two connections: writes, and tells when its buffer is full."""

    def __init__(self, full: Callable[[bool], None]) -> None:
        self._full = full
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def pause_writing(self) -> None:
        self._full(True)

    def resume_writing(self) -> None:
        self._full(False)

    def pause(self, paused: bool) -> None:
        """Read no more for now, or again."""
        if self.transport is not None and not self.transport.is_closing():
            (self.transport.pause_reading if paused else self.transport.resume_reading)()


class _Back(_Side):
    """The connection to the API's own socket."""

    def __init__(self, client: "_Client") -> None:
        super().__init__(client.pause)
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.send(data)

    def eof_received(self) -> bool:
        self._client.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.close()


class _Client(_Side):
    """The client's connection; TLS is done here, on its bytes."""

    def __init__(self, context: ssl.SSLContext, socket: Path, strangers: "set[_Client]") -> None:
        self._back = _Back(self)
        super().__init__(self._back.pause)
        self._socket, self._strangers = socket, strangers
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._known = self._ended = False
        self._waiting = bytearray()
        self._dialling: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._strangers.add(self)
        self._deadline = asyncio.get_running_loop().call_later(HANDSHAKE, transport.close)
        if len(self._strangers) > STRANGERS:
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            if not self._known:
                self._tls.do_handshake()
                self._welcome()
            while not self._ended:
                plain = self._tls.read(BLOCK)
                if not plain:
                    self._client_ended()
                    break
                self._forward(plain)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._client_ended()
        except ssl.SSLError:
            self._flush()
            self.close()
        self._flush()

    def _welcome(self) -> None:
        self._known = True
        self._strangers.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        self._dialling = asyncio.ensure_future(self._dial())

    async def _dial(self) -> None:
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: self._back, str(self._socket))
        except OSError:
            self.close()
            return
        if self._waiting:
            self._forward(b"")
            self.pause(False)
        if self._ended:
            self._end_back()

    def _forward(self, plain: bytes) -> None:
        self._waiting += plain
        if self._back.transport is not None:
            self._back.transport.write(bytes(self._waiting))
            self._waiting.clear()
        elif len(self._waiting) > BLOCK:
            self.pause(True)

    def _client_ended(self) -> None:
        self._ended = True
        self._end_back()

    def _end_back(self) -> None:
        if self._back.transport is not None and not self._back.transport.is_closing():
            self._back.transport.write_eof()

    def eof_received(self) -> bool:
        # Without a notice before it, this is a connection that broke.
        if not self._ended:
            self.close()
        return self._ended

    def send(self, plain: bytes) -> None:
        """Bytes of the API for the client."""
        self._tls.write(plain)
        self._flush()

    def end(self) -> None:
        """The API will send no more."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # the notice is written; the client's may come later
        self._flush()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write_eof()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        """Close both sides, once what is written has left."""
        for transport in (self.transport, self._back.transport):
            if transport is not None:
                transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._strangers.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        if self._back.transport is not None:
            self._back.transport.close()
