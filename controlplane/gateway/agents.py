"""`/agent/v1/link`: the WebSocket of agents. Handshake, then streams and reports until either side ends it.

    accept ─▶ greeting {nonce, server_time, spki, sig} ─▶ answer {host_id, boot_id, sig} ─▶ hello ─▶ served

Plain ASGI: no cookies, no session, no Origin. Reports go one after the other to the handler that the composition root
passed in; what they mean is not known here.
"""

import asyncio
import base64
import contextlib
import json
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from channels.db import database_sync_to_async
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings

from agent.protocol import reports, versions
from agent.protocol.mux import MuxError, Side, StreamClosed
from agent.protocol.session import Session, Stream
from controlplane.gateway import bell, leases
from controlplane.gateway.hub import HUB, AgentConnection
from controlplane.hosts import presence, server_key

log = structlog.get_logger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BAD_MESSAGE: Final = 4400
UNKNOWN: Final = 4401
TOO_FAST: Final = 1008
TRY_LATER: Final = 1013
_STRANGERS: Final = 100
"""Connections that have not yet proved who they are, at most."""


class ReportRefused(Exception):
    """A report that will never be taken; the agent is told, the connection goes on."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class _Closed(StreamClosed):
    """The other side went away; for streams that is their end too."""

    def __init__(self) -> None:
        super().__init__("link_lost", "the link to the host was lost")


Handler = Callable[[AgentConnection, dict[str, Any]], Awaitable[None]]
BlobHandler = Callable[[AgentConnection, Stream, dict[str, Any]], Awaitable[None]]


class AgentLinks:
    """The ASGI application."""

    def __init__(self, handle: Handler, blob: BlobHandler) -> None:
        self._handle = handle
        self._blob = blob
        self._strangers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = {name for name, _ in scope["headers"]}
        if b"origin" in headers or b"cookie" in headers or self._strangers >= _STRANGERS:
            # a browser has no business here; a close before the accept is a plain 403
            await send({"type": "websocket.close", "code": UNKNOWN})
            return
        await send({"type": "websocket.accept"})
        self._strangers += 1
        try:
            known = await self._handshake(scope, receive, send)
        finally:
            self._strangers -= 1
        if known is not None:
            await self._serve(*known, receive, send)

    async def _handshake(self, scope: Scope, receive: Receive, send: Send) -> "tuple[AgentConnection, _Streams] | None":
        nonce, url = secrets.token_hex(32), settings.LONGSHORE_URL
        spki = server_key.certificate_spki()
        sig = server_key.sign(versions.server_statement(url, spki, nonce))
        greeting = {"nonce": nonce, "server_time": time.time(), "spki": spki, "sig": base64.b64encode(sig).decode()}
        address = (scope.get("client") or ("", 0))[0]
        try:
            await send({"type": "websocket.send", "text": json.dumps(greeting)})
            async with asyncio.timeout(versions.HANDSHAKE_SECONDS):
                message = await receive()
            answer = _object(message)
            host_id = uuid.UUID(str(answer["host_id"]))
            boot_id = str(answer["boot_id"])[:64]
            protocol = int(answer["protocol"])
            capabilities = [str(one) for one in answer.get("capabilities") or []][:20]
            proof = base64.b64decode(str(answer["sig"]), validate=True)
            public_key = await database_sync_to_async(presence.public_key_of)(host_id)
            statement = versions.agent_statement(str(host_id), url, spki, nonce, boot_id)
            Ed25519PublicKey.from_public_bytes(public_key).verify(proof, statement)
        except (
            _Closed,
            TimeoutError,
            KeyError,
            ValueError,
            TypeError,
            OverflowError,  # an infinite number
            RecursionError,  # brackets without end
            InvalidSignature,
            presence.UnknownHost,
        ) as error:
            log.warning("agent refused", address=address, error=type(error).__name__)
            await _close(send, UNKNOWN, "this host is not known, or did not prove that it is itself")
            return None
        if protocol != versions.PROTOCOL:
            await _close(send, BAD_MESSAGE, f"this control plane speaks protocol {versions.PROTOCOL}")
            return None

        lock = asyncio.Lock()
        greeted = asyncio.Event()

        async def send_text(text: str) -> None:
            await greeted.wait()
            async with lock:
                await _send(send, {"type": "websocket.send", "text": text})

        async def send_bytes(data: bytes) -> None:
            await greeted.wait()
            await _send(send, {"type": "websocket.send", "bytes": data})

        streams = _Streams(self._blob)
        session = Session(Side.CONTROL, send_bytes, streams.opened)
        connection = AgentConnection(host_id, address, boot_id, capabilities, session, send_text, greeted)
        streams.connection = connection
        return connection, streams

    async def _serve(self, connection: AgentConnection, streams: "_Streams", receive: Receive, send: Send) -> None:
        # held before its host is called online: who reads that finds the way to it
        older = HUB.hold(connection)
        reason = "connection lost"
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(reports.WINDOW + 1)
        try:
            epoch = await database_sync_to_async(presence.host_connected)(
                connection.host_id,
                boot_id=connection.boot_id,
                address=connection.address,
                capabilities=connection.capabilities,
                protocol=versions.PROTOCOL,
            )
            if epoch is None:
                await _close(send, UNKNOWN, "this host was revoked")
                return
            connection.epoch = epoch
            if older is not None:
                await database_sync_to_async(presence.host_superseded)(
                    connection.host_id, address=connection.address, same_boot=older.boot_id == connection.boot_id
                )
            await leases.take(connection.host_id)
            interval = getattr(settings, "LINK_HEARTBEAT_SECONDS", versions.HEARTBEAT_SECONDS)
            hello = reports.write("hello", protocol=versions.PROTOCOL, server_time=time.time(), heartbeat=interval)
            await _send(send, {"type": "websocket.send", "text": hello})
            connection.greeted.set()
            tasks: list[asyncio.Task[Any]] = [
                asyncio.create_task(self._read(connection, receive, queue)),
                asyncio.create_task(self._report(connection, queue)),
                asyncio.create_task(self._beat(connection, interval)),
                asyncio.create_task(connection.closing.wait()),
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            code, reason = self._verdict(connection, done)
            await _close(send, code, reason)
        finally:
            connection.session.close()
            connection.greeted.set()
            await streams.close()
            if HUB.release(connection):
                await leases.give_up(connection.host_id)
                await database_sync_to_async(presence.host_disconnected)(connection.host_id, connection.epoch, reason)

    def _verdict(self, connection: AgentConnection, done: set[asyncio.Task[Any]]) -> tuple[int, str]:
        """Why the connection ended, as code and words."""
        if connection.closing.is_set():
            return connection.why
        error = next((task.exception() for task in done if not task.cancelled() and task.exception()), None)
        match error:
            case None | _Closed():
                return 1000, "connection lost"
            case TimeoutError():
                return TRY_LATER, "nothing heard from the host"
            case asyncio.QueueFull():
                return TOO_FAST, "more reports than the window allows"
            case MuxError() | reports.BadReport():
                return BAD_MESSAGE, str(error)
            case _:
                log.error("a link broke", host=str(connection.host_id), exc_info=error)
                return TRY_LATER, "the control plane could not take a report; try again"

    async def _read(self, connection: AgentConnection, receive: Receive, queue: asyncio.Queue[dict[str, Any]]) -> None:
        while True:
            async with asyncio.timeout(versions.OFFLINE_SECONDS):
                message = await receive()
            if message["type"] == "websocket.disconnect":
                raise _Closed
            connection.heard_at = time.monotonic()
            if (data := message.get("bytes")) is not None:
                connection.session.feed(data)
            else:
                queue.put_nowait(reports.read_up(message["text"]))

    async def _report(self, connection: AgentConnection, queue: asyncio.Queue[dict[str, Any]]) -> None:
        while True:
            message = await queue.get()
            try:
                await self._handle(connection, message)
            except ReportRefused as refused:
                answer = reports.write("refuse", n=message["n"], code=refused.code, detail=str(refused))
            else:
                answer = reports.write("ack", n=message["n"])
            await connection.send_text(answer)

    async def _beat(self, connection: AgentConnection, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            heard = time.monotonic() - connection.heard_at < versions.HEARTBEAT_SECONDS
            seq = await database_sync_to_async(presence.host_seen)(connection.host_id, connection.epoch, heard=heard)
            if seq is None:
                connection.close(UNKNOWN, "this host was revoked, or is connected elsewhere")
                return
            await connection.send_text(reports.write("heartbeat", seq=seq, server_time=time.time()))
            await leases.take(connection.host_id)


class _Streams:
    """The streams that one agent opens: its bell, and build contexts of its own orders."""

    connection: AgentConnection

    def __init__(self, blob: BlobHandler) -> None:
        self._blob = blob
        self._tasks: set[asyncio.Task[None]] = set()
        self._bells = 0

    def opened(self, stream: Stream, target: str, head: dict[str, Any]) -> None:
        task = asyncio.create_task(self._answer(stream, target, head))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, stream: Stream, target: str, head: dict[str, Any]) -> None:
        if target == "blob":
            await self._blob(self.connection, stream, head)
        elif target == "bell" and self._bells < bell.MOST:
            self._bells += 1
            try:
                await bell.serve(stream, self.connection.host_id)
            finally:
                self._bells -= 1
        else:
            await database_sync_to_async(presence.stream_refused)(self.connection.host_id, target[:64])
            await stream.reset("denied", "an agent may open bell and blob only")


async def _send(send: Send, message: dict[str, Any]) -> None:
    try:
        await send(message)
    except Exception as error:
        # each server has its own exception for a peer that is gone
        raise _Closed from error


async def _close(send: Send, code: int, reason: str) -> None:
    with contextlib.suppress(Exception):
        await send({"type": "websocket.close", "code": code, "reason": reason[:120]})


def _object(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] == "websocket.disconnect":
        raise _Closed
    value = json.loads(message.get("text") or "")
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value
