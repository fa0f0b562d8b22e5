"""Unpack a blob while it is still on its way.

A child reads the half-written file, and waits at its end until there is more: with the last byte most of the work is
done. What it makes is worth nothing until the blob has been verified, and is thrown away where it is another.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from typing import Any

from agent.engine.images.unpack import Unpacked
from agent.engine.storage.content import Ingest

WORTH_IT = 4 << 20
"""Of a smaller blob there is nothing left to wait for."""

Work = Callable[[int, int], Coroutine[Any, Any, Unpacked]]


class Early:
    """The unpacking of one blob.

    Args:
        work: unpacks from an open file, another descriptor telling when there is more of it.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._task: asyncio.Task[Unpacked] | None = None
        self._open = contextlib.ExitStack()
        self._tell = -1

    @property
    def begun(self) -> bool:
        """It is at work, or has ended."""
        return self._task is not None

    def begin(self, blob: Ingest) -> None:
        """The first bytes are there."""
        file = os.open(blob.path, os.O_RDONLY | os.O_CLOEXEC)
        self._open.callback(os.close, file)
        more, self._tell = os.pipe2(os.O_CLOEXEC)
        self._open.callback(os.close, more)
        os.set_blocking(self._tell, False)
        self._task = asyncio.create_task(self._work(file, more))

    def grew(self) -> None:
        """There is more."""
        # Full: it has been told often enough.
        with contextlib.suppress(BlockingIOError):
            os.write(self._tell, b".")

    async def result(self) -> Unpacked:
        """What came out, now that the blob is whole.

        Raises:
            Invalid, NoSpace, System: see ``unpack``.
        """
        assert self._task is not None
        self._hang_up()
        return await self._task

    async def drop(self) -> None:
        """End it. What it has made is left to the caller."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # nobody else asks
        self._hang_up()
        self._open.close()

    def _hang_up(self) -> None:
        if self._tell >= 0:
            os.close(self._tell)
            self._tell = -1
