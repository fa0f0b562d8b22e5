"""A bounded buffer for each viewer of one stream: one that does not read loses its place, not its neighbours' time."""

import asyncio
from collections import deque

LIMIT = 1024 * 1024


class Overflow(Exception):
    """The viewer was too slow: bytes for it were dropped."""


class Viewer:
    """One reader's queue."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._pieces: deque[bytes] = deque()
        self._size, self._limit = 0, limit
        self._closed = self._dropped = False
        self._wake = asyncio.Event()

    def offer(self, data: bytes) -> None:
        """Queue bytes; beyond the limit the viewer is marked and gets no more."""
        if self._closed or self._dropped or not data:
            return
        if self._size + len(data) > self._limit:
            self._dropped = True
        else:
            self._pieces.append(data)
            self._size += len(data)
        self._wake.set()

    def close(self) -> None:
        """No more bytes will come; what is queued is still read."""
        self._closed = True
        self._wake.set()

    async def read(self) -> bytes:
        """All that is queued; empty at the end.

        Raises:
            Overflow: bytes were dropped after those already read.
        """
        while not self._pieces:
            if self._dropped:
                raise Overflow("the reader was too slow")
            if self._closed:
                return b""
            self._wake.clear()
            await self._wake.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return data


class Fanout:
    """Gives each piece to every viewer and waits for none."""

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()

    def join(self, limit: int = LIMIT) -> Viewer:
        """A new viewer, which sees what comes from now on."""
        viewer = Viewer(limit)
        self.viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer."""
        self.viewers.discard(viewer)

    def offer(self, data: bytes) -> None:
        """Bytes for all."""
        for viewer in self.viewers:
            viewer.offer(data)

    def close(self) -> None:
        """The end, for all."""
        for viewer in self.viewers:
            viewer.close()
