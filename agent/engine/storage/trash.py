"""Where folders go that nobody needs: away at once by a rename, deleted behind everybody's back.

Deleting ten thousand files takes seconds on a busy disk; no client waits for that. One thread deletes, one folder after
the other. What a stop or a crash leaves is deleted after the next start.
"""

import asyncio
import os
import queue
import shutil
import threading
import uuid
from concurrent.futures import Future
from pathlib import Path

_NICE = 10


class Trash:
    """A folder whose content is on its way out."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is ours alone."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._queue: queue.SimpleQueue[tuple[Path, Future[None]]] = queue.SimpleQueue()
        self._pending: set[Future[None]] = set()
        for left in list(folder.iterdir()):
            self._delete(left)
        # A daemon: a stop does not wait for it.
        threading.Thread(target=self._run, name="trash", daemon=True).start()

    def throw(self, path: Path) -> None:
        """Take a folder's name away and have it deleted; one that is gone is fine. One rename: safe on the loop."""
        target = self._folder / str(uuid.uuid4())
        try:
            path.rename(target)
        except FileNotFoundError:
            return
        self._delete(target)

    async def settled(self) -> None:
        """Return once everything thrown so far is deleted and its space is free."""
        await asyncio.gather(*(asyncio.wrap_future(future) for future in tuple(self._pending)))

    def _delete(self, path: Path) -> None:
        future: Future[None] = Future()
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        self._queue.put((path, future))

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            path, future = self._queue.get()
            shutil.rmtree(path, ignore_errors=True)
            future.set_result(None)
