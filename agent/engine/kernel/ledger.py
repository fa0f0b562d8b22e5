"""Send messages and know afterwards which were sent, whatever happened to the process meanwhile.

sendmmsg(2) writes the length of each message that it has sent into the caller's memory, before a signal may end the
process. Here that memory is a file: who opens it again after a SIGKILL finds exactly how far its forerunner came. So
nothing is sent twice and nothing left out, as long as the machine itself stays up.

File: which of two slots counts, the slots (an object's number and a place in it), the number of messages under way, and
for each of them the place after it, its length, and what the kernel fills in.
"""

import contextlib
import ctypes
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

BATCH = 64
_SIZE = 8192
_DONTWAIT, _NOSIGNAL = 0x40, 0x4000


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("hole", ctypes.c_int), ("sent", ctypes.c_uint32), ("end", ctypes.c_uint32),
    )  # fmt: skip


class _Slot(ctypes.Structure):
    _fields_ = (("object", ctypes.c_uint64), ("place", ctypes.c_uint64))


class _Pages(ctypes.Structure):
    _fields_ = (
        ("which", ctypes.c_uint64), ("slots", _Slot * 2), ("count", ctypes.c_uint64),
        ("after", ctypes.c_uint64 * BATCH), ("lengths", ctypes.c_uint32 * BATCH), ("messages", _Message * BATCH),
    )  # fmt: skip


_libc = ctypes.CDLL(None, use_errno=True)


class Ledger:
    """One file, open."""

    def __init__(self, path: Path) -> None:
        """Open or make it, and note what was under way when it was last left."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Real blocks: a store to a hole on a full disk would be a SIGBUS.
            os.posix_fallocate(descriptor, 0, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        self._pages: _Pages | None = _Pages.from_buffer(self._map)
        self._vectors = (_IoVec * BATCH)()
        self._settle()

    @property
    def _open(self) -> _Pages:
        assert self._pages is not None
        return self._pages

    def _settle(self) -> int:
        """Make what was sent part of the slot; how many messages that were."""
        pages, sent = self._open, 0
        while sent < min(pages.count, BATCH) and pages.messages[sent].sent >= pages.lengths[sent] > 0:
            sent += 1
        if sent:
            pages.slots[pages.which & 1].place = pages.after[sent - 1]
        pages.count = 0
        return sent

    @property
    def at(self) -> tuple[int, int]:
        """The object, and the place in it up to which all is sent; zeros at first."""
        slot = self._open.slots[self._open.which & 1]
        return int(slot.object), int(slot.place)

    def move(self, object_: int, place: int) -> None:
        """All is sent up to there."""
        pages = self._open
        other = pages.which & 1 ^ 1
        pages.slots[other].object, pages.slots[other].place = object_, place
        pages.which = other

    def send(self, descriptor: int, messages: Sequence[bytes], after: Sequence[int]) -> tuple[int, int]:
        """Send as many messages of a batch as go without waiting.

        Args:
            descriptor: a connected socket.
            messages: at most ``BATCH``, none of them empty.
            after: the place after each.

        Returns:
            How many are sent whole, and how much of the next one: on a stream its rest must follow before anything.

        Raises:
            OSError: none could be sent.
        """
        pages = self._open
        for number, (message, place) in enumerate(zip(messages, after, strict=True)):
            vector = self._vectors[number]
            vector.base, vector.length = message, len(message)
            pages.after[number], pages.lengths[number] = place, len(message)
            entry = pages.messages[number]
            ctypes.memset(ctypes.byref(entry), 0, ctypes.sizeof(_Message))
            entry.parts, entry.part_count = ctypes.addressof(vector), 1
        pages.count = len(messages)
        given = _libc.sendmmsg(descriptor, pages.messages, len(messages), _DONTWAIT | _NOSIGNAL)
        number = ctypes.get_errno()
        whole = self._settle()
        if given < 0:
            raise OSError(number, os.strerror(number))
        return whole, int(pages.messages[whole].sent) if whole < given else 0

    def close(self) -> None:
        """Let go of the file."""
        self._pages = None
        # A traceback may still hold a piece of it; then it goes with that.
        with contextlib.suppress(BufferError):
            self._map.close()
