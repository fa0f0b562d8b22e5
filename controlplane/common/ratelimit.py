"""600 requests a minute for an API token, 30 for what is dear; counted in the cache, which all processes share."""

import time

import structlog
from django.core.cache import cache

from controlplane.common.errors import TooMany

WINDOW = 60
PER_TOKEN = 600
DEAR = 30
log = structlog.get_logger(__name__)


def spend(key: str, limit: int) -> dict[str, str]:
    """Count one request; the headers that tell what is left.

    When the cache does not answer the request goes on: limits protect, they must not be a way to stop the service.

    Raises:
        TooMany: the window's share is used up.
    """
    now = int(time.time())
    window, left_seconds = now // WINDOW, WINDOW - now % WINDOW
    name = f"rate:{key}:{window}"
    try:
        cache.add(name, 0, WINDOW * 2)
        used = cache.incr(name)
    except Exception as error:
        log.warning("rate limit not counted", error=type(error).__name__)
        return {}
    if used > limit:
        raise TooMany(f"More than {limit} requests in a minute; wait {left_seconds} s", retry_after=left_seconds)
    return {
        "RateLimit-Policy": f'"default";q={limit};w={WINDOW}',
        "RateLimit": f'"default";r={limit - used};t={left_seconds}',
    }
