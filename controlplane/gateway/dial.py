"""Reach a host's engine: a stream for code on the loop, a plain call for views that run in threads.

What may be asked is the agent's to decide (agent/link/pipes.py); a refusal comes back as the error it is.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from agent.protocol.mux import StreamClosed
from agent.protocol.session import Stream
from controlplane.common.errors import (
    Conflict,
    Denied,
    EngineFailed,
    Invalid,
    NoSpace,
    NotFound,
    Refusal,
    Unavailable,
)
from controlplane.gateway.hub import HUB

T = TypeVar("T")

ANSWER_SECONDS: Final = 30.0
_LONGEST: Final = 16 << 20


@dataclass
class HostStream:
    """An engine's answer under way."""

    status: int
    headers: Mapping[str, str]
    stream: Stream

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            Refusal: the host went away, or its engine.
        """
        try:
            async for chunk in self.stream:
                yield chunk
        except StreamClosed as closed:
            raise refusal(closed) from None

    async def close(self) -> None:
        """Hang up; the engine sees its client leave."""
        await self.stream.reset("closed")


@dataclass(frozen=True)
class Answer:
    """An engine's whole answer to one call, of a status below 400."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None when it is empty."""
        try:
            return json.loads(self.body) if self.body.strip() else None
        except ValueError:
            raise EngineFailed("The engine's answer is not JSON") from None


async def open_stream(
    host_id: uuid.UUID,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    upgrade: bool = False,
    end: bool = True,
) -> HostStream:
    """Open a stream to a host's engine and wait for the head of its answer, whatever its status.

    Args:
        query: by the engine's own names. body: a small JSON object, for the calls that take one.
        upgrade: ask for raw bytes both ways. end: nothing more will be sent.

    Raises:
        Unavailable: the host is not connected. Denied: its policy, or the list of what may be asked.
    """
    connection = HUB.get(host_id)
    if connection is None:
        raise offline()
    head = {
        "method": method,
        "path": path,
        "query": {name: _text(value) for name, value in (query or {}).items() if value is not None},
        "upgrade": upgrade,
    }
    try:
        stream = await connection.session.open("engine", head)
    except StreamClosed as closed:
        raise refusal(closed) from None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if body is not None:
                await stream.write(json.dumps(body).encode() + b"\n")
            if end:
                await stream.end()
            answer = await stream.accepted()
        return HostStream(int(answer.get("status", 502)), answer.get("headers") or {}, stream)
    except StreamClosed as closed:
        raise refusal(closed) from None
    except TimeoutError:
        await stream.reset("timeout")
        raise too_late() from None
    except BaseException:
        await stream.reset("cancelled")
        raise


async def call_async(
    host_id: uuid.UUID,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    seconds: float = ANSWER_SECONDS,
) -> Answer:
    """One whole call to a host's engine.

    Raises:
        Refusal: the kind that the engine's status means, with the engine's words.
    """
    try:
        async with asyncio.timeout(seconds):
            opened = await open_stream(host_id, method, path, query=query, body=body)
            try:
                parts, size = [], 0
                async for chunk in opened.chunks():
                    size += len(chunk)
                    if size > _LONGEST:
                        raise EngineFailed("The engine's answer is too long")
                    parts.append(chunk)
            except BaseException:
                await opened.close()
                raise
    except TimeoutError:
        raise too_late() from None
    raw = b"".join(parts)
    if opened.status >= 400:
        raise engine_refusal(opened.status, _message(raw))
    return Answer(opened.status, opened.headers, raw)


def call(
    host_id: uuid.UUID,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    seconds: float = ANSWER_SECONDS,
) -> Answer:
    """`call_async` for views, which run in threads beside the loop."""
    return from_thread(call_async(host_id, method, path, query=query, body=body, seconds=seconds), seconds + 5)


def from_thread(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """Run something on the loop that holds the connections, from another thread.

    Raises:
        Unavailable: this process holds no connection at all, or its loop did not get to it in time.
    """
    loop = HUB.loop
    if loop is None or not loop.is_running():
        work.close()
        raise offline()
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result(seconds)
    except TimeoutError:
        future.cancel()
        raise too_late() from None


def offline() -> Unavailable:
    """The host is not connected to this process."""
    return Unavailable("The host is offline", code="host_offline", retry_after=5)


def too_late() -> Unavailable:
    """The host is connected and silent."""
    return Unavailable("The host did not answer in time", code="host_timeout", retry_after=5)


def refusal(closed: StreamClosed) -> Refusal:
    """What a stream that the agent closed means here."""
    if closed.code == "denied":
        return Denied(str(closed), code="host_policy")
    if closed.code == "bad_request":
        return Invalid(str(closed))
    if closed.code == "engine_down":
        return Unavailable(f"The host's engine does not answer: {closed}", code="engine_down", retry_after=5)
    if closed.code == "busy":
        return Unavailable("The host has too many streams open", code="host_busy", retry_after=5)
    return offline()


def engine_refusal(status: int, message: str) -> Refusal:
    """An engine's error as ours, in the engine's words."""
    kinds: dict[int, type[Refusal]] = {400: Invalid, 404: NotFound, 409: Conflict, 507: NoSpace}
    return kinds.get(status, EngineFailed)(message or f"The engine answered {status}")


def _message(raw: bytes) -> str:
    try:
        return str(json.loads(raw)["message"])
    except (ValueError, KeyError, TypeError):
        return raw.decode(errors="replace").strip()[:2000]


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
