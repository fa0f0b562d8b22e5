"""An archive as a stream that only moves forward, hashed and counted on the way."""

import hashlib
import queue
import threading
from collections.abc import Iterator

BLOCK = 512
_AHEAD = 8
_SKIP = 1 << 20


class BadArchive(Exception):
    """The archive is malformed, or asks for what no layer may have."""


class TooLarge(BadArchive):
    """The archive passes a cap."""


class Tape:
    """Plain bytes. Where they are hashed a thread inflates and hashes ahead, with the interpreter's lock let go.

    Args:
        pieces: the bytes.
        limit: more than so many are refused.
        hashed: somebody wants to know the digest: it takes as long as the rest.
    """

    def __init__(self, pieces: Iterator[bytes], limit: int, *, hashed: bool = True) -> None:
        self._source, self._limit, self._hashed = pieces, limit, hashed
        self._hash = hashlib.sha256()
        self._pieces = _ahead(self._taken()) if hashed else self._taken()
        self._piece, self._at = b"", 0
        self.position = 0
        """Bytes handed out or passed over so far."""

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, fewer only at the end."""
        at = self._at
        if at + size <= len(self._piece):
            self._at = at + size
            self.position += size
            return self._piece[at : at + size]
        return b"".join(self.parts(size))

    def parts(self, size: int) -> "Iterator[bytes | memoryview]":
        """``size`` bytes in parts as they lie in memory; fewer only at the end."""
        while size and (self._at < len(self._piece) or self._more()):
            part = memoryview(self._piece)[self._at : self._at + size]
            self._at += len(part)
            self.position += len(part)
            size -= len(part)
            yield part

    def forward(self, position: int) -> None:
        """Pass over what lies before a position.

        Raises:
            BadArchive: the archive ends before.
        """
        for _ in self.parts(position - self.position):
            pass
        if self.position < position:
            raise BadArchive("unexpected EOF")

    def digest(self) -> str:
        """Read what is left and give the digest of the whole, if that was wanted."""
        while self._more():
            pass
        return "sha256:" + self._hash.hexdigest() if self._hashed else ""

    def _more(self) -> bool:
        self._piece, self._at = next(self._pieces, b""), 0
        return bool(self._piece)

    def _taken(self) -> Iterator[bytes]:
        taken = 0
        for piece in self._source:
            taken += len(piece)
            if taken > self._limit:
                raise TooLarge(f"the layer is larger than {self._limit} bytes unpacked")
            if self._hashed:
                self._hash.update(piece)
            yield piece


def _ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, made in a thread; what goes wrong there is raised here, in its place."""
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)

    def make() -> None:
        try:
            for piece in pieces:
                ready.put(piece)
        except BaseException as error:
            ready.put(error)
        else:
            ready.put(None)

    # A daemon: it is of no use once an entry is refused.
    threading.Thread(target=make, name="inflate", daemon=True).start()
    while (found := ready.get()) is not None:
        if isinstance(found, BaseException):
            raise found
        yield found
