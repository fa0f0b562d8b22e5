"""What processes of the control plane tell each other at once, over Redis: close this host's link, end those sockets.

Nothing on it is truth. A message that is lost costs at most the time until the next periodic check.
"""

import json
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any, Final

import redis
import redis.asyncio
import structlog
from django.conf import settings
from django.db import transaction

log = structlog.get_logger(__name__)

CHANNEL: Final = "longshore:bus"

# topics and their fields
HOST_REVOKED: Final = "host.revoked"  # host_id
HOST_SUPERSEDED: Final = "host.superseded"  # host_id, epoch
HOST_REFRESH: Final = "host.refresh"  # host_id
ORDER_CANCEL: Final = "order.cancel"  # host_id, order_id
RIGHTS_CHANGED: Final = "rights.changed"  # user_id, or none for everybody
SIGNED_OUT: Final = "signed_out"  # session: SHA-256 of its key


@lru_cache(maxsize=1)
def client() -> "redis.Redis":
    """This process's connections to Redis, for code that may block."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5)


def async_client() -> "redis.asyncio.Redis":
    """New connections to Redis, for the loop that calls."""
    return redis.asyncio.Redis.from_url(settings.REDIS_URL)


def publish(topic: str, **fields: Any) -> None:
    """Tell every process now; a broken Redis is logged, not raised."""
    try:
        client().publish(CHANNEL, json.dumps({"topic": topic, **fields}, default=str))
    except redis.RedisError as error:
        log.warning("not told to the other processes", topic=topic, error=str(error))


def publish_on_commit(topic: str, **fields: Any) -> None:
    """Tell every process once the current transaction has committed."""
    transaction.on_commit(lambda: publish(topic, **fields), robust=True)


async def listen() -> AsyncIterator[dict[str, Any]]:
    """Messages as they come, until Redis goes away.

    Raises:
        redis.RedisError: the connection was lost; what was published since is lost too.
    """
    connection = async_client()
    try:
        async with connection.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            async for message in pubsub.listen():
                if message["type"] == "message":
                    yield json.loads(message["data"])
    finally:
        await connection.aclose()
