"""Asking again where a registry wants to be asked less often (429).

Source: RFC 6585, RFC 9110 ``Retry-After``. What was refused so has not been done, so that any request may come again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

import aiohttp

TOO_MANY = 429
_ATTEMPTS = 5
_FIRST_PAUSE = 0.5
# A registry that wants to be left alone for longer is one that refuses.
_LONGEST = 60.0


def wanted(response: aiohttp.ClientResponse) -> float:
    """``Retry-After``, seconds or a date; 0 where it does not say."""
    text = response.headers.get("Retry-After", "")
    if text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


async def patiently(send: Callable[[], Awaitable[aiohttp.ClientResponse]]) -> aiohttp.ClientResponse:
    """The answer of a request that can be sent again: after pauses as long as the registry wants, a minute in all.

    Args:
        send: sends it. The caller releases the last answer.
    """
    left = _LONGEST
    for attempt in range(_ATTEMPTS - 1):
        response = await send()
        pause = max(_FIRST_PAUSE * 2**attempt, wanted(response))
        if response.status != TOO_MANY or pause > left:
            return response
        response.release()
        left -= pause
        await asyncio.sleep(pause)
    return await send()
