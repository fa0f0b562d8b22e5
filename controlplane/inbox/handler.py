"""The inbox as the gateway sees it: one coroutine for reports, one for build contexts."""

import asyncio
import re
from pathlib import Path
from typing import Any, Final

from channels.db import database_sync_to_async
from django.conf import settings

from agent.protocol.mux import StreamClosed
from agent.protocol.session import Stream
from controlplane.gateway.hub import AgentConnection
from controlplane.hosts import presence
from controlplane.inbox import table
from controlplane.orders.models import Order
from controlplane.orders.states import OPEN

_DIGEST: Final = re.compile(r"(sha256:)?[0-9a-f]{64}")
_CHUNK: Final = 256 * 1024


async def handle(connection: AgentConnection, message: dict[str, Any]) -> None:
    """Take one report of a host; what it is answered with goes out before the ack."""
    reply = await database_sync_to_async(table.take)(connection.host_id, message)
    if reply is not None:
        await connection.send_text(reply)


async def blob(connection: AgentConnection, stream: Stream, head: dict[str, Any]) -> None:
    """Send a build context to the host that has an open order for it."""
    digest = str(head.get("digest") or "")
    if not _DIGEST.fullmatch(digest) or not await database_sync_to_async(_ordered)(connection, digest):
        await database_sync_to_async(presence.stream_refused)(connection.host_id, "blob")
        await stream.reset("denied", "no open order of this host names that context")
        return
    path = context_path(digest)
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except OSError:
        await stream.reset("not_found", "the build context is gone")
        return
    try:
        await stream.accept({})
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            await stream.write(chunk)
        await stream.end()
        async for _ in stream:
            pass
    except StreamClosed:
        pass
    finally:
        file.close()


def context_path(digest: str) -> Path:
    """Where an uploaded build context lies: DATA/contexts/<hex digest>."""
    return Path(settings.LONGSHORE_DATA) / "contexts" / digest.removeprefix("sha256:")


def _ordered(connection: AgentConnection, digest: str) -> bool:
    return Order.objects.filter(
        host_id=connection.host_id, op="image.build", state__in=OPEN, args__context=digest
    ).exists()
