"""Which process holds a host's connection: `longshore:lease:<host>` = its address, written while the link lives.

With one web process the lease says only that there is one; several will follow it to each other.
"""

import os
import socket
import uuid
from typing import Final

import redis
import structlog

from controlplane.common.bus import async_client

log = structlog.get_logger(__name__)

SECONDS: Final = 45
PROCESS: Final = f"{socket.gethostname()}:{os.getpid()}"


def key(host_id: uuid.UUID) -> str:
    """The lease's key in Redis."""
    return f"longshore:lease:{host_id}"


async def take(host_id: uuid.UUID) -> None:
    """Say that this process holds the host; repeated with every heartbeat."""
    connection = async_client()
    try:
        await connection.set(key(host_id), PROCESS, ex=SECONDS)
    except (redis.RedisError, OSError) as error:
        log.warning("lease not written", host=str(host_id), error=str(error))
    finally:
        await connection.aclose()


async def give_up(host_id: uuid.UUID) -> None:
    """Say that it does not any more."""
    connection = async_client()
    try:
        if await connection.get(key(host_id)) == PROCESS.encode():
            await connection.delete(key(host_id))
    except (redis.RedisError, OSError) as error:
        log.warning("lease not given up", host=str(host_id), error=str(error))
    finally:
        await connection.aclose()
