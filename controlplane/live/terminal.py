"""`/ws/containers/{id}/exec` and `…/attach`: a program's bytes both ways.

With a terminal bytes go as they are; without one each frame to the page starts with a byte: 1 stdout, 2 stderr. The
size is asked for before the program starts. The right is looked at when the socket opens and at every write.
"""

import asyncio
import struct
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from agent.protocol.mux import StreamClosed
from controlplane.common import rights
from controlplane.common.errors import EngineFailed, Invalid, NotFound, Refusal
from controlplane.gateway.dial import HostStream, call_async, engine_refusal, open_stream
from controlplane.live import target
from controlplane.live.socket import BAD_MESSAGE, Closed, Socket

SIZE_SECONDS: Final = 1.0
PATIENCE: Final = 10.0
"""How long a page may take nothing before its terminal is closed."""
_HEAD: Final = struct.Struct(">BxxxI")
_CELLS: Final = 1000
_EXEC_ID: Final = frozenset("0123456789abcdefABCDEF")


@dataclass
class _Session:
    """One program: where its size is set, and where its exit code stands."""

    found: target.Target
    stream: HostStream
    tty: bool
    resize_path: str


async def exec_(socket: Socket, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Start an exec session that was created before, and be its terminal."""
    found = await target.container(socket, parts["id"], rights.CONTAINERS_EXEC)
    exec_id = query.get("exec", "")
    if not exec_id or len(exec_id) > 128 or not set(exec_id) <= _EXEC_ID:
        raise Invalid("exec must be the id of an exec session")
    about = (await call_async(found.host_id, "GET", f"/exec/{exec_id}/json")).json()
    if about.get("ContainerID") != found.engine_id:
        raise NotFound("No such exec session of this container")
    tty = bool((about.get("ProcessConfig") or {}).get("tty"))
    size = await _first_size(socket) if tty else None
    body: dict[str, Any] = {"Detach": False, "Tty": tty}
    if size is not None:
        body["ConsoleSize"] = list(size)
    opened = await open_stream(found.host_id, "POST", f"/exec/{exec_id}/start", body=body, upgrade=True, end=False)
    session = _Session(found, opened, tty, f"/exec/{exec_id}/resize")
    try:
        await _check(opened)
        if size is not None:
            await _resize(session, *size)
        socket.put("ready", session=uuid.uuid4().hex, tty=tty)
        await _run(socket, session)
    finally:
        await opened.close()
    ended = (await call_async(found.host_id, "GET", f"/exec/{exec_id}/json")).json()
    socket.put("exit", code=ended.get("ExitCode"))
    raise Closed(1000, "the program ended")


async def attach(socket: Socket, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Be the terminal of a container's own program."""
    stdin = query.get("stdin", "") in {"1", "true"}
    right = rights.CONTAINERS_EXEC if stdin else rights.CONTAINERS_LOGS
    found = await target.container(socket, parts["id"], right)
    about = (await call_async(found.host_id, "GET", f"/containers/{found.engine_id}/json")).json()
    tty = bool(about["Config"].get("Tty"))
    opened = await open_stream(
        found.host_id,
        "POST",
        f"/containers/{found.engine_id}/attach",
        query={"stream": 1, "stdout": 1, "stderr": 1, "stdin": int(stdin), "detachKeys": query.get("detach_keys")},
        upgrade=True,
        end=not stdin,
    )
    try:
        await _check(opened)
        socket.put("ready", session=uuid.uuid4().hex, tty=tty)
        await _run(socket, _Session(found, opened, tty, f"/containers/{found.engine_id}/resize"))
    finally:
        await opened.close()
    ended = (await call_async(found.host_id, "GET", f"/containers/{found.engine_id}/json")).json()["State"]
    socket.put("exit", code=None if ended.get("Running") else ended.get("ExitCode"))
    raise Closed(1000, "detached" if ended.get("Running") else "the program ended")


async def _run(socket: Socket, session: _Session) -> None:
    """Carry bytes until the program's output ends."""
    output = asyncio.create_task(_output(socket, session))
    typed = asyncio.create_task(_input(socket, session))
    try:
        await asyncio.wait({output, typed}, return_when=asyncio.FIRST_COMPLETED)
        if typed.done():
            typed.result()
        await output
    finally:
        for task in (output, typed):
            task.cancel()
        await asyncio.gather(output, typed, return_exceptions=True)


async def _output(socket: Socket, session: _Session) -> None:
    if session.tty:
        async for chunk in session.stream.chunks():
            await socket.put_bytes(chunk, PATIENCE)
        return
    async for stream, data in _frames(session.stream):
        await socket.put_bytes(bytes([stream]) + data, PATIENCE)


async def _frames(opened: HostStream) -> AsyncIterator[tuple[int, bytes]]:
    buffer = bytearray()
    async for chunk in opened.chunks():
        buffer += chunk
        at = 0
        while len(buffer) - at >= _HEAD.size:
            stream, length = _HEAD.unpack_from(buffer, at)
            if stream > 3 or length > 16 << 20:
                raise EngineFailed("The engine's output cannot be read")
            if len(buffer) - at - _HEAD.size < length:
                break
            yield 2 if stream == 2 else 1, bytes(buffer[at + _HEAD.size : at + _HEAD.size + length])
            at += _HEAD.size + length
        del buffer[:at]


async def _input(socket: Socket, session: _Session) -> None:
    """What the page types. Ends only with the socket: an eof is said to the program, its output goes on."""
    while True:
        message = await socket.read()
        if isinstance(message, bytes):
            # the right may have gone since the socket was opened
            socket.access.require(
                rights.CONTAINERS_EXEC, session.found.host_id, session.found.host_name, view=rights.CONTAINERS_VIEW
            )
            with suppress(StreamClosed):
                await session.stream.stream.write(message)
            continue
        match message["type"]:
            case "resize":
                await _resize(session, *_size(message))
            case "eof":
                with suppress(StreamClosed):
                    await session.stream.stream.end()
            case "pong" | "ping":
                pass
            case "signal":
                socket.put("problem", code="not_supported", detail="An engine sends no signals to an exec session")
            case _:
                raise Closed(BAD_MESSAGE, "no such message")


async def _first_size(socket: Socket) -> tuple[int, int] | None:
    """The page's size, if it says it before anything else."""
    try:
        async with asyncio.timeout(SIZE_SECONDS):
            message = await socket.read()
    except TimeoutError:
        return None
    if isinstance(message, bytes) or message["type"] != "resize":
        raise Closed(BAD_MESSAGE, "the size comes first")
    return _size(message)


def _size(message: Mapping[str, Any]) -> tuple[int, int]:
    cols, rows = message.get("cols"), message.get("rows")
    if not isinstance(cols, int) or not isinstance(rows, int) or not (0 < cols <= _CELLS and 0 < rows <= _CELLS):
        raise Closed(BAD_MESSAGE, f"cols and rows must be 1 to {_CELLS}")
    return rows, cols


async def _resize(session: _Session, rows: int, cols: int) -> None:
    # a program that ended meanwhile has no size
    with suppress(Refusal):
        await call_async(session.found.host_id, "POST", session.resize_path, query={"h": rows, "w": cols})


async def _check(opened: HostStream) -> None:
    if opened.status >= 400:
        raw = b"".join([chunk async for chunk in opened.chunks()])
        raise engine_refusal(opened.status, raw.decode(errors="replace")[:2000])
