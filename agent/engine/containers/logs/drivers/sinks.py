"""Where forwarded messages go: a socket, or TLS over one."""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent.engine.containers.logs.drivers.syslog import LOCAL_SOCKETS, TLS, Address
from agent.engine.errors import System
from agent.engine.kernel.ledger import Ledger

PATIENCE = 10.0
"""Seconds for a connection to be made."""
_SENT_AT_ONCE = 64 * 1024


class Sink(Protocol):
    """A way to a server."""

    async def send(self, ledger: Ledger, messages: Sequence[bytes], after: Sequence[int]) -> int:
        """Send the first of some messages, at least one; how many that were, as the ledger has it too.

        Raises:
            OSError: the way is broken.
        """

    def close(self) -> None:
        """Let go."""


class SocketSink:
    """A plain socket."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._stream = link.type == socket.SOCK_STREAM

    async def send(self, ledger: Ledger, messages: Sequence[bytes], after: Sequence[int]) -> int:
        """See ``Sink``."""
        if self._stream:
            self._look()
        while True:
            try:
                whole, part = ledger.send(self._link.fileno(), messages, after)
                break
            except BlockingIOError:
                await self._writable()
        if part:
            await asyncio.get_running_loop().sock_sendall(self._link, messages[whole][part:])
            ledger.move(ledger.at[0], after[whole])
            whole += 1
        return whole

    def _look(self) -> None:
        """Find out that the server has closed: the first bytes sent after that would be lost without an error."""
        try:
            if not self._link.recv(4096, socket.MSG_DONTWAIT):
                raise ConnectionResetError("the server has closed the connection")
        except BlockingIOError:
            return

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._link, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._link)

    def close(self) -> None:
        """See ``Sink``."""
        self._link.close()


class TlsSink:
    """TLS. What is under way when the engine is killed may come twice: the record that was cut is worth nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        writer.transport.set_write_buffer_limits(high=0)

    async def send(self, ledger: Ledger, messages: Sequence[bytes], after: Sequence[int]) -> int:
        """See ``Sink``."""
        if self._reader.at_eof() or self._writer.is_closing():
            raise ConnectionResetError("the server has closed the connection")
        count, size = 0, 0
        while count < len(messages) and size < _SENT_AT_ONCE:
            size += len(messages[count])
            count += 1
        self._writer.write(b"".join(messages[:count]))
        await self._writer.drain()
        ledger.move(ledger.at[0], after[count - 1])
        return count

    def close(self) -> None:
        """See ``Sink``."""
        self._writer.close()


async def local(path: str, kind: socket.SocketKind) -> Sink:
    """A unix socket.

    Raises:
        OSError: nobody listens.
    """
    link = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(link, path)
    except BaseException:
        link.close()
        raise
    return SocketSink(link)


async def connect(address: Address, options: Mapping[str, str]) -> Sink:
    """A way to a syslog server.

    Raises:
        System: in dockerd's words.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            return await _connect(address, options)
    except (OSError, TimeoutError) as error:
        kind = "unix" if address.path else "tcp" if address.scheme == TLS else address.scheme
        where = address.path or f"{address.host}:{address.port}"
        if isinstance(error, ssl.SSLError):
            raise System(f"tls: {getattr(error, 'verify_message', '') or error.reason}: {where}") from error
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number).lower() if number and number > 0 else str(error) or "i/o timeout"
        raise System(f"dial {kind} {where}: connect: {reason}") from error


async def _connect(address: Address, options: Mapping[str, str]) -> Sink:
    if not address.scheme:
        return await _host_syslog()
    if address.path:
        return await local(address.path, socket.SOCK_DGRAM if address.scheme == "unixgram" else socket.SOCK_STREAM)
    if address.scheme == TLS:
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=_tls(options), server_hostname=address.host
        )
        return TlsSink(reader, writer)
    loop = asyncio.get_running_loop()
    kind = socket.SOCK_DGRAM if address.scheme == "udp" else socket.SOCK_STREAM
    family, _, protocol, _, target = (await loop.getaddrinfo(address.host or "localhost", address.port, type=kind))[0]
    link = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    try:
        await loop.sock_connect(link, target)
    except BaseException:
        link.close()
        raise
    return SocketSink(link)


async def _host_syslog() -> Sink:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        for path in LOCAL_SOCKETS:
            try:
                return await local(path, kind)
            except OSError:
                continue
    raise System("Unix syslog delivery error")


def _tls(options: Mapping[str, str]) -> ssl.SSLContext:
    authority = options.get("syslog-tls-ca-cert", "")
    try:
        context = ssl.create_default_context(cafile=authority or None)
    except OSError as error:
        reason = f"open {authority}: {os.strerror(error.errno).lower()}" if error.errno else str(error)
        raise System(f'could not read CA certificate "{authority}": {reason}') from error
    if "syslog-tls-skip-verify" in options:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate, key = options.get("syslog-tls-cert", ""), options.get("syslog-tls-key", "")
    if certificate or key:
        try:
            context.load_cert_chain(certificate, key or None)
        except OSError as error:
            raise System(f'could not load X509 key pair (cert: "{certificate}", key: "{key}"): {error}') from error
    return context


async def journal(path: Path) -> Sink:
    """A way to systemd-journald.

    Raises:
        System: it does not run.
    """
    try:
        return await local(str(path), socket.SOCK_DGRAM)
    except OSError as error:
        raise System("journald is not enabled on this host") from error
