"""A container's bytes: its log, its stdio, its files. Docker Engine API: ContainerLogs, ContainerAttach,
ContainerArchive, ContainerExport, ContainerResize.
"""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Any, Protocol

from aiohttp import WSMsgType, web

from agent.engine.api import params
from agent.engine.api.answers import empty, stream
from agent.engine.api.archives import PATH_STAT, ArchiveAnswer, stat_header
from agent.engine.api.hijack import MULTIPLEXED_SINCE, Hijack, content_type, until_gone
from agent.engine.containers.files.archive import Receiver
from agent.engine.containers.io import attach
from agent.engine.containers.io.attach import AttachOptions, Client
from agent.engine.containers.logs import reader as logs
from agent.engine.containers.logs.reader import ALL, LogOptions
from agent.engine.errors import Invalid
from agent.engine.state.records import ContainerRecord

# A WebSocket's messages were text before.
BINARY_SINCE = (1, 28)


class Attaching(Protocol):
    """What is needed of ``containers/io/attach``."""

    async def serve(self, record: ContainerRecord, options: AttachOptions, client: Client) -> bool: ...


class Archive(Protocol):
    """What is needed of ``containers/files/archive``."""

    async def stat(self, record: ContainerRecord, path: str) -> dict[str, Any]: ...
    async def send(self, record: ContainerRecord, path: str, receiver: Receiver) -> None: ...
    async def export(self, record: ContainerRecord, receiver: Receiver) -> None: ...
    async def write(
        self,
        record: ContainerRecord,
        path: str,
        body: AsyncIterable[bytes],
        *,
        keep_folders: bool = False,
        owner: tuple[int, int] | None = None,
    ) -> None: ...


class Backend(Protocol):
    """What these routes need."""

    @property
    def attaching(self) -> Attaching: ...
    @property
    def archive(self) -> Archive: ...
    def lookup(self, ref: str) -> ContainerRecord: ...
    def log_of(self, record: ContainerRecord, options: LogOptions) -> AsyncGenerator[bytes, None]: ...
    def attached(self, record: ContainerRecord, *, left: bool) -> None: ...
    def resize(self, ref: str, rows: int, columns: int) -> None: ...
    def owner_of_copies(self, record: ContainerRecord) -> tuple[int, int] | None: ...


def routes(backend: Backend) -> list[web.RouteDef]:
    """The table."""
    handlers = _Handlers(backend)
    return [
        web.get("/containers/{name}/logs", handlers.logs),
        web.post("/containers/{name}/attach", handlers.attach),
        web.get("/containers/{name}/attach/ws", handlers.attach_websocket),
        web.post("/containers/{name}/resize", handlers.resize),
        web.head("/containers/{name}/archive", handlers.archive_stat),
        web.get("/containers/{name}/archive", handlers.archive_get),
        web.put("/containers/{name}/archive", handlers.archive_put),
        web.get("/containers/{name}/export", handlers.export),
    ]


class _Handlers:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def logs(self, request: web.Request) -> web.StreamResponse:
        record = self._backend.lookup(request.match_info["name"])
        options = log_options(request)
        if not (options.stdout or options.stderr):
            raise Invalid("Bad parameters: you must choose at least one stream")
        logs.check_readable(record)
        kind = content_type(request, record.tty) if request["version"] >= MULTIPLEXED_SINCE else ""
        response = await stream(request, content_type=kind)
        async with aclosing(self._backend.log_of(record, options)) as pieces:
            async for data in pieces:
                await response.write(data)
        return response

    async def attach(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        record = self._backend.lookup(request.match_info["name"])
        options = attach_options(request)
        attach.check(record)
        # dockerd's head of an attach has nothing but the upgrade.
        hijack = Hijack(request, content_type(request, record.tty), headers={})
        self._backend.attached(record, left=False)
        async with hijack as connection:
            if await until_gone(connection, self._backend.attaching.serve(record, options, connection)):
                self._backend.attached(record, left=True)
        return hijack.answer

    async def attach_websocket(self, request: web.Request) -> web.StreamResponse:
        record = self._backend.lookup(request.match_info["name"])
        options = attach_options(request, framed=False)
        attach.check(record)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=400, text="not websocket protocol")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._backend.attached(record, left=False)
        await self._backend.attaching.serve(
            record, options, _WebSocketClient(socket, binary=request["version"] >= BINARY_SINCE)
        )
        await socket.close()
        return socket

    async def resize(self, request: web.Request) -> web.StreamResponse:
        rows, columns = (params.integer(request, name, parser="Atoi", strict=True) for name in ("h", "w"))
        self._backend.resize(request.match_info["name"], rows, columns)
        return empty(200)

    async def archive_stat(self, request: web.Request) -> web.StreamResponse:
        record = self._backend.lookup(request.match_info["name"])
        found = await self._backend.archive.stat(record, request.query.get("path", ""))
        response = web.Response(headers={PATH_STAT: stat_header(found), "Content-Type": ""})
        return response

    async def archive_get(self, request: web.Request) -> web.StreamResponse:
        record = self._backend.lookup(request.match_info["name"])
        receiver = ArchiveAnswer(request, "application/x-tar", told=True)
        await self._backend.archive.send(record, request.query.get("path", ""), receiver)
        return receiver.answer

    async def archive_put(self, request: web.Request) -> web.StreamResponse:
        record = self._backend.lookup(request.match_info["name"])
        await self._backend.archive.write(
            record,
            request.query.get("path", ""),
            request.content.iter_any(),
            keep_folders=params.flag(request, "noOverwriteDirNonDir"),
            owner=self._backend.owner_of_copies(record) if params.flag(request, "copyUIDGID") else None,
        )
        return empty(200)

    async def export(self, request: web.Request) -> web.StreamResponse:
        record = self._backend.lookup(request.match_info["name"])
        receiver = ArchiveAnswer(request, "application/octet-stream", told=False)
        await self._backend.archive.export(record, receiver)
        return receiver.answer


class _WebSocketClient:
    def __init__(self, socket: web.WebSocketResponse, *, binary: bool) -> None:
        self._socket, self._binary = socket, binary

    async def read(self) -> bytes:
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data).encode()
        return bytes(message.data) if message.type is WSMsgType.BINARY else b""

    async def write(self, data: bytes) -> None:
        if self._binary:
            await self._socket.send_bytes(data)
        else:
            await self._socket.send_str(data.decode(errors="replace"))


def log_options(request: web.Request) -> LogOptions:
    """The query of a log request. A tail that is no number means all, as in dockerd."""
    tail = request.query.get("tail", "")
    lines = int(tail) if tail.isdigit() else ALL
    return LogOptions(
        stdout=params.flag(request, "stdout"),
        stderr=params.flag(request, "stderr"),
        follow=params.flag(request, "follow"),
        timestamps=params.flag(request, "timestamps"),
        since=params.moment(request, "since"),
        until=params.moment(request, "until"),
        tail=lines,
        details=params.flag(request, "details"),
    )


def attach_options(request: web.Request, *, framed: bool = True) -> AttachOptions:
    """The query of an attach request; a WebSocket's output has no frames but its own.

    Raises:
        Invalid: detach keys that are none.
    """
    keys = request.query.get("detachKeys", "")
    attach.keys(keys)
    return AttachOptions(
        stdin=params.flag(request, "stdin"),
        stdout=params.flag(request, "stdout"),
        stderr=params.flag(request, "stderr"),
        logs=params.flag(request, "logs"),
        stream=params.flag(request, "stream"),
        detach_keys=keys,
        framed=framed,
    )
