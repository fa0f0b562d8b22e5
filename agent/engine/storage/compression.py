"""gzip and zstd (and xz, bzip2 where a person hands in an archive): recognise, inflate, deflate.

isal inflates several times faster than zlib. Everything works in bounded pieces, however well the input was packed.
"""

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import Any

import zstandard
from isal import isal_zlib

Read = Callable[[int], bytes]

PIECE = 1 << 18
_INPUT = 1 << 16
# What `zstd -d` takes without being told otherwise; a frame may ask for 3 TiB.
_ZSTD_WINDOW = 1 << 27
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
}
LONGEST_MAGIC = 6
_ISAL_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub says an instance
_DAMAGE: tuple[type[Exception], ...] = (_ISAL_ERROR, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError)


class CorruptStream(Exception):
    """The compressed bytes are damaged or end early."""


def recognise(head: bytes) -> str:
    """``gzip``, ``zstd``, ``xz``, ``bzip2``, or ``""`` for what begins like none of them."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    # A skippable frame may come first (zstd:chunked puts one at the end, pzstd at the start).
    if len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50:
        return "zstd"
    return ""


def inflated(read: Read) -> Iterator[bytes]:
    """The plain bytes of a stream, whatever it is packed with.

    Raises:
        CorruptStream: damaged, cut short, or followed by something else.
    """
    head = b""
    while len(head) < LONGEST_MAGIC and (more := read(LONGEST_MAGIC - len(head))):
        head += more
    source = _Source(read, head)
    kind = recognise(head)
    try:
        if kind == "gzip":
            yield from _members(source, lambda: isal_zlib.decompressobj(wbits=31))
        elif kind == "xz":
            yield from _members(source, lzma.LZMADecompressor)
        elif kind == "bzip2":
            yield from _members(source, bz2.BZ2Decompressor)
        elif kind == "zstd":
            yield from _zstd(source)
        else:
            while piece := source.read(PIECE):
                yield piece
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CorruptStream(f"{kind}: {error}") from error


class _Source:
    def __init__(self, read: Read, head: bytes) -> None:
        self._read, self._head = read, head

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            piece, self._head = self._head[: size if size > 0 else None], self._head[size:] if size > 0 else b""
            return piece
        return self._read(size if size > 0 else PIECE)


def _members(source: _Source, fresh: Callable[[], Any]) -> Iterator[bytes]:
    """One member after the other until the input ends (gzip -c a b; eStargz)."""
    data = source.read(_INPUT)
    while data:
        member = fresh()
        while not member.eof:
            yield from _pieces(member, data)
            if member.eof:
                break
            data = source.read(_INPUT)
            if not data:
                raise CorruptStream("unexpected EOF")
        data = member.unused_data or source.read(_INPUT)


def _pieces(member: Any, data: bytes) -> Iterator[bytes]:
    piece = member.decompress(data, PIECE)
    while True:
        if piece:
            yield piece
        if member.eof:
            return
        rest = getattr(member, "unconsumed_tail", None)
        if rest is None:  # lzma and bz2 keep the input themselves
            if member.needs_input:
                return
            rest = b""
        elif not rest and not piece:
            return
        piece = member.decompress(rest, PIECE)
        if not piece and not rest:
            return


def _zstd(source: _Source) -> Iterator[bytes]:
    # The reader needs nothing but read().
    file: Any = source
    reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(
        file, read_size=_INPUT, read_across_frames=True
    )
    while piece := reader.read(PIECE):
        yield piece


class Gzip:
    """A deflating sink in front of another, with no time in its header: the same input gives the same blob."""

    def __init__(self, write: Callable[[bytes], object], level: int = 1) -> None:
        self._write = write
        self._object = isal_zlib.compressobj(level=level, wbits=31)

    def write(self, data: bytes, /) -> None:
        """Pack these bytes."""
        if packed := self._object.compress(data):
            self._write(packed)

    def close(self) -> None:
        """Write what is left and the trailer."""
        self._write(self._object.flush())
