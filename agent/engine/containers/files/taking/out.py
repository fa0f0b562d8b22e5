"""Where a tar goes: a pipe, or the socket of whoever asked for it, which takes it in HTTP's chunks.

What is in files goes from the page cache into the socket by sendfile, through no process at all.
"""

import os
import select
from collections.abc import Callable

_PIECE = 1 << 20
_CHUNK = 1 << 26


class Gone(Exception):
    """Nobody wants it any more."""


class Out:
    """Takes bytes, and parts of files.

    Args:
        descriptor: where they go; need not block.
        begin: called before the first byte goes.
        chunked: frame them as HTTP's chunks, but for the last, empty one.
        held: so many bytes are kept back, and handed over whole if nothing follows.
    """

    def __init__(self, descriptor: int, begin: Callable[[], None], *, chunked: bool, held: int) -> None:
        self._descriptor, self._begin, self._chunked, self._most = descriptor, begin, chunked, held
        self._held = bytearray()
        self._begun = False

    def write(self, data: bytes) -> None:
        """Take bytes; a few are gathered before they go."""
        self._held += data
        if len(self._held) > (_PIECE if self._begun else self._most):
            self._flush(0)

    def file(self, descriptor: int, size: int) -> None:
        """Take so many bytes of a file; one that shrinks meanwhile is filled up with zeros."""
        if size <= self._most:
            while size:
                data = os.read(descriptor, size) or b"\0" * size
                self.write(data)
                size -= len(data)
            return
        while size:
            self._flush(part := min(size, _CHUNK))
            self._part(descriptor, part)
            size -= part

    def _part(self, descriptor: int, left: int) -> None:
        while left:
            try:
                sent = os.sendfile(self._descriptor, descriptor, None, min(left, _PIECE))
            except BlockingIOError:
                self._wait()
                continue
            except (BrokenPipeError, ConnectionResetError):
                raise Gone from None
            left -= sent
            if not sent:
                self._send(b"\0" * min(left, _PIECE))
                left -= min(left, _PIECE)
        if self._chunked:
            self._send(b"\r\n")

    def finish(self) -> bytes | None:
        """The end: all that there was, if it was so little that nothing has gone yet."""
        if not self._begun:
            return bytes(self._held)
        self._flush(0)
        return None

    def _flush(self, more: int) -> None:
        """Let go of what is held, as one chunk with so many bytes that follow it."""
        if not self._begun:
            self._begin()
            self._begun = True
        size = len(self._held) + more
        if not size:
            return
        if self._chunked:
            end = b"" if more else b"\r\n"
            self._send(b"%x\r\n" % size + bytes(self._held) + end)
        else:
            self._send(bytes(self._held))
        self._held.clear()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                self._wait()
            except (BrokenPipeError, ConnectionResetError):
                raise Gone from None

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll()
