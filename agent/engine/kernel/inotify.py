"""Learn that something changed in a directory, without asking again and again. inotify(7).

One descriptor serves every watcher of the process (the kernel allows 128 of them to a user). A watcher learns that it
should look, not what happened: events of one directory that come together are one wake-up.
"""

import asyncio
import ctypes
import errno
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_MODIFY, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE_SELF = 0x2, 0x40, 0x80, 0x100, 0x400
_Q_OVERFLOW, _IGNORED = 0x4000, 0x8000
_MASK = _MODIFY | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE_SELF
_NONBLOCK, _CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_EVENT = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Watcher:
    """Wakes those who wait for changes in directories. Belongs to one event loop."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._waiting: dict[int, set[asyncio.Event]] = {}

    @contextmanager
    def watch(self, directory: Path) -> Iterator[asyncio.Event]:
        """An event that is set whenever something in the directory was written, made or renamed.

        Clear it, look, then wait for it. A directory that is not there never wakes anybody.
        """
        event = asyncio.Event()
        watch = self._add(directory)
        if watch < 0:
            yield event
            return
        self._waiting.setdefault(watch, set()).add(event)
        try:
            yield event
        finally:
            self._leave(watch, event)

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _add(self, directory: Path) -> int:
        if self._descriptor < 0:
            self._descriptor = _libc.inotify_init1(_NONBLOCK | _CLOEXEC)
            if self._descriptor < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            asyncio.get_running_loop().add_reader(self._descriptor, self._readable)
        watch = int(_libc.inotify_add_watch(self._descriptor, os.fsencode(directory), _MASK))
        number = ctypes.get_errno()
        if watch < 0 and number not in {errno.ENOENT, errno.ENOTDIR}:
            raise OSError(number, os.strerror(number), str(directory))
        return watch

    def _leave(self, watch: int, event: asyncio.Event) -> None:
        waiting = self._waiting.get(watch)
        if waiting is None:
            return
        waiting.discard(event)
        if not waiting:
            del self._waiting[watch]
            if self._descriptor >= 0:
                _libc.inotify_rm_watch(self._descriptor, watch)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        at = 0
        while at + _EVENT.size <= len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            if mask & _Q_OVERFLOW:
                for events in self._waiting.values():
                    for event in events:
                        event.set()
            for event in self._waiting.get(watch, ()):
                event.set()
            if mask & _IGNORED:
                self._waiting.pop(watch, None)


class Files:
    """Calls back when a file is modified; for files of the kernel's that are marked so. Belongs to one event loop."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._calls: dict[int, Callable[[], None]] = {}

    def watch(self, path: Path, call: Callable[[], None]) -> int:
        """A number by which to leave it.

        Raises:
            OSError: it is not there, or too many are watched.
        """
        if self._descriptor < 0:
            self._descriptor = _checked(_libc.inotify_init1(_NONBLOCK | _CLOEXEC), "inotify")
            asyncio.get_running_loop().add_reader(self._descriptor, self._readable)
        number = _checked(_libc.inotify_add_watch(self._descriptor, os.fsencode(path), _MODIFY), str(path))
        self._calls[number] = call
        return number

    def leave(self, number: int) -> None:
        """Watch this one no more."""
        if self._calls.pop(number, None) is not None:
            _libc.inotify_rm_watch(self._descriptor, number)

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        at, found = 0, set()
        while at + _EVENT.size <= len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            if mask & _Q_OVERFLOW:
                found |= set(self._calls)
            elif mask & _IGNORED:
                self._calls.pop(number, None)
            else:
                found.add(number)
        for number in found:
            if (call := self._calls.get(number)) is not None:
                call()


def _checked(number: int, what: str) -> int:
    if number < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)
    return number
