"""The bell's tunnel: an agent's Celery reaches Redis as that host's own ACL user, and nothing else of it.

The password is made here at every opening and never leaves the control plane: Redis is authenticated before the first
byte of the agent passes. The default user must have a password too, since a client may RESET itself into it.
"""

import asyncio
import contextlib
import secrets
import uuid
from typing import Any, Final

import redis.asyncio
import structlog
from django.conf import settings
from redis.asyncio.connection import parse_url

from agent.protocol.mux import StreamClosed
from agent.protocol.session import Stream
from controlplane.common.bus import async_client

log = structlog.get_logger(__name__)

MOST: Final = 4
"""Bells of one connection: Celery's consumer has two, and leaves one behind while it reconnects."""
_CHUNK: Final = 16 * 1024


def user_name(host_id: uuid.UUID) -> str:
    """The host's user in Redis."""
    return f"agent-{host_id}"


def rule(host_id: uuid.UUID, password: str) -> list[str]:
    """All that a host's user may do: wait for and count what lies in its own queue."""
    return [
        "reset", "on", f">{password}", "resetchannels", "-@all", "+ping", "+brpop", "+llen", "+multi", "+exec",
        "+discard", f"%RW~agent:{host_id}:q",
    ]  # fmt: skip


async def serve(stream: Stream, host_id: uuid.UUID) -> None:
    """Join one stream of an agent to Redis, until either side ends it."""
    try:
        reader, writer = await _connect(host_id)
    except (OSError, redis.RedisError, asyncio.IncompleteReadError, PermissionError) as error:
        log.warning("bell not opened", host=str(host_id), error=str(error))
        await stream.reset("unavailable", "Redis is away")
        return
    try:
        await stream.accept({})
        both = [asyncio.create_task(_up(stream, writer)), asyncio.create_task(_down(reader, stream))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
    finally:
        writer.close()
        await stream.reset("closed")


async def forget_user(host_id: uuid.UUID) -> None:
    """Delete the host's user: Redis drops its connections, blocked ones too."""
    connection: Any = async_client()
    try:
        await connection.execute_command("ACL", "DELUSER", user_name(host_id))
    except redis.RedisError as error:
        log.warning("ACL user not deleted", host=str(host_id), error=str(error))
    finally:
        await connection.aclose()


async def _connect(host_id: uuid.UUID) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    password = secrets.token_urlsafe(32)
    connection: Any = async_client()
    try:
        default = await connection.execute_command("ACL", "GETUSER", "default")
        if _has_no_password(default):
            raise PermissionError("Redis' default user has no password: set requirepass")
        await connection.execute_command("ACL", "SETUSER", user_name(host_id), *rule(host_id, password))
    finally:
        await connection.aclose()
    reader, writer = await _open()
    try:
        writer.write(_command("AUTH", user_name(host_id), password))
        answer = await reader.readuntil(b"\r\n")
        if answer != b"+OK\r\n":
            raise PermissionError(f"Redis refused the host's user: {answer!r}")
    except BaseException:
        writer.close()
        raise
    return reader, writer


def _has_no_password(user: Any) -> bool:
    """Whether `ACL GETUSER` tells of a user that anybody may be. RESP3 gives a map, RESP2 pairs in a row."""
    facts = user if isinstance(user, dict) else dict(zip(user[::2], user[1::2], strict=False))
    flags: Any = facts.get(b"flags") or facts.get("flags") or []
    return any(flag in {b"nopass", "nopass"} for flag in flags) and any(flag in {b"on", "on"} for flag in flags)


async def _open() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address: Any = parse_url(settings.REDIS_URL)
    if path := address.get("path"):
        return await asyncio.open_unix_connection(path)
    tls = settings.REDIS_URL.startswith("rediss:")
    return await asyncio.open_connection(address.get("host", "127.0.0.1"), address.get("port", 6379), ssl=tls or None)


def _command(*words: str) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
    return b"".join(parts)


async def _up(stream: Stream, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(StreamClosed, OSError):
        async for chunk in stream:
            writer.write(chunk)
            await writer.drain()


async def _down(reader: asyncio.StreamReader, stream: Stream) -> None:
    with contextlib.suppress(StreamClosed, OSError):
        while chunk := await reader.read(_CHUNK):
            await stream.write(chunk)
