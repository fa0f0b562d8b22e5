"""Several coroutines at once, with one plain error instead of a group."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all. The first error, or a cancellation, ends the rest before it is raised.

    Raises:
        whatever the first to fail raised: a client reads one message, not a group of them.
    """
    tasks = [asyncio.create_task(one) for one in work]
    try:
        for done in asyncio.as_completed(tasks):
            await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
