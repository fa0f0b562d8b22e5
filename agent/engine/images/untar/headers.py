"""A tar's headers: V7, ustar, GNU and pax, read forward.

In place of TarFile, which takes longer over a header than the kernel over making the file. What is read is believed in
nothing: sizes are capped before they are read, numbers are digits, and a list of headers before an entry ends.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.engine.images.untar.sparse import Hole, from_header, from_map, from_pax, from_payload
from agent.engine.images.untar.tape import BLOCK, BadArchive, Tape, TooLarge

FILES = frozenset({b"0", b"\0", b"7", b"S"})
HARDLINK, SYMLINK, CHAR, BLOCK_DEVICE, FOLDER, FIFO = b"1", b"2", b"3", b"4", b"5", b"6"
_PAX, _PAX_OF_SUN, _GLOBAL, _LONG_NAME, _LONG_LINK = b"x", b"X", b"g", b"L", b"K"
_META = frozenset({_PAX, _PAX_OF_SUN, _GLOBAL, _LONG_NAME, _LONG_LINK})
_EMPTY = bytes(BLOCK)
_META_MAX = 16
_ADLER = 65521
_MTIME_MAX = 1 << 33
_XATTR = b"SCHILY.xattr."
_KNOWN_MAX = 1000

Pax = dict[bytes, bytes]


@dataclass(slots=True)
class Entry:
    """One member; its content, ``stored`` bytes long, is next on the tape."""

    name: bytes
    kind: bytes
    link: bytes
    mode: int
    uid: int
    gid: int
    mtime: int
    """Nanoseconds."""
    size: int
    """Of the file; more than ``stored`` where it has holes."""
    stored: int
    device: tuple[int, int] = (0, 0)
    xattrs: dict[str, bytes] = field(default_factory=dict)
    sparse: list[Hole] | None = None
    """Where the stored bytes go, if the file has holes."""


class Headers:
    """Reads one archive's."""

    def __init__(self, tape: Tape, limit: int) -> None:
        """``limit`` caps a single pax or long-name header, and a map of holes."""
        self._tape, self._limit = tape, limit
        self._owners: dict[bytes, tuple[int, int, int]] = {}

    def __iter__(self) -> Iterator[Entry]:
        """Every entry in order. What is left of an entry's content when the next is asked for is passed over.

        Raises:
            BadArchive: malformed, cut short, or past a cap.
        """
        tape = self._tape
        while (entry := self._next()) is not None:
            end = tape.position + entry.stored
            yield entry
            tape.forward(end + -end % BLOCK)

    def _next(self) -> Entry | None:
        pax: Pax = {}
        offsets: list[tuple[bytes, bytes]] = []
        for count in range(_META_MAX + 1):
            block = self._tape.read(BLOCK)
            if not block or block == _EMPTY:
                if count:
                    raise BadArchive("unexpected EOF")
                return None
            _check(block)
            kind = block[156:157]
            if kind not in _META:
                return self._entry(block, kind, pax, offsets)
            size = number(block[124:136])
            if size > self._limit:
                raise TooLarge(f"a header of {size} bytes: more than {self._limit}")
            body = self._tape.read(size)
            self._tape.forward(self._tape.position + -size % BLOCK)
            if len(body) < size:
                raise BadArchive("unexpected EOF")
            if kind == _LONG_NAME:
                pax.setdefault(b"path", _text(body))
            elif kind == _LONG_LINK:
                pax.setdefault(b"linkpath", _text(body))
            elif kind != _GLOBAL:
                # As dockerd, nothing is taken from a global header.
                _records(body, pax, offsets)
        raise BadArchive("archive/tar: invalid tar header: headers without an entry")

    def _entry(self, block: bytes, kind: bytes, pax: Pax, offsets: list[tuple[bytes, bytes]]) -> Entry:
        owners = block[100:124]
        known = self._owners.get(owners)
        if known is None:
            known = number(owners[:8]), number(owners[8:16]), number(owners[16:])
            if len(self._owners) < _KNOWN_MAX:
                self._owners[owners] = known
        mode, uid, gid = known
        size, mtime = number(block[124:136]), number(block[136:148])
        name = _text(block[:100])
        if block[345] and (prefix := _prefix(block)):
            name = prefix + b"/" + name
        if kind == b"\0" and name.endswith(b"/"):
            kind = FOLDER
        link = _text(block[157:257])
        entry = Entry(name, kind, link, mode, uid, gid, mtime * 1_000_000_000 if abs(mtime) < _MTIME_MAX else 0, 0, 0)
        if pax:
            size = _overridden(entry, pax, size)
        if kind in FILES:
            if size < 0:
                raise BadArchive("archive/tar: invalid tar header: negative size")
            entry.size = entry.stored = size
            self._holes(entry, block, pax, offsets)
        elif kind in {CHAR, BLOCK_DEVICE}:
            entry.device = number(block[329:337]), number(block[337:345])
        elif kind not in {HARDLINK, SYMLINK, FOLDER, FIFO}:
            raise BadArchive(f"unhandled tar header type {kind!r}")
        return entry

    def _holes(self, entry: Entry, block: bytes, pax: Pax, offsets: list[tuple[bytes, bytes]]) -> None:
        if entry.kind == b"S":
            found = from_header(self._tape, block, number, self._limit)
            entry.size = number(block[483:495])
        elif pax.get(b"GNU.sparse.major") == b"1" and pax.get(b"GNU.sparse.minor") == b"0":
            before = self._tape.position
            found = from_payload(self._tape, entry.stored, self._limit)
            entry.stored = max(0, entry.stored - (self._tape.position - before))
            entry.size = _decimal(pax.get(b"GNU.sparse.realsize", b""))
        elif b"GNU.sparse.map" in pax or offsets:
            found = from_map(pax[b"GNU.sparse.map"]) if b"GNU.sparse.map" in pax else from_pax(offsets)
            entry.size = _decimal(pax.get(b"GNU.sparse.size", b""))
        else:
            return
        at = 0
        for offset, length in found:
            if offset < at or length < 0:
                raise BadArchive("archive/tar: invalid tar header: a map of holes that goes back")
            at = offset + length
        if at > entry.size or sum(length for _, length in found) != entry.stored:
            raise BadArchive("archive/tar: invalid tar header: a map of holes that does not fit its file")
        entry.sparse = found


def number(raw: bytes) -> int:
    """A header's number: octal digits, or GNU's base 256.

    Raises:
        BadArchive: neither.
    """
    if raw[0] & 0x80:
        value = int.from_bytes(raw, "big") & ((1 << (len(raw) * 8 - 1)) - 1)
        return value - (1 << (len(raw) * 8 - 1)) if raw[0] & 0x40 else value
    digits = raw.partition(b"\0")[0].strip(b" ") or raw.strip(b" \0")
    try:
        if not digits:
            return 0
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise BadArchive("archive/tar: invalid tar header")


def _check(block: bytes) -> None:
    """The header's checksum. The low half of Adler-32 is one more than the sum of the bytes, modulo 65521."""
    if len(block) < BLOCK:
        raise BadArchive("unexpected EOF")
    stored = number(block[148:156])
    summed = (zlib.adler32(block) & 0xFFFF) - 1 - sum(block[148:156]) + 8 * 32
    if (summed - stored) % _ADLER:
        # Old tars of SunOS added the bytes up as signed.
        signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + b" " * 8 + block[156:])
        if signed != stored:
            raise BadArchive("archive/tar: invalid tar header")


def _text(raw: bytes) -> bytes:
    return raw.partition(b"\0")[0]


def _prefix(block: bytes) -> bytes:
    """What stands before the name: ustar's field, which GNU uses for times."""
    if block[257:263] == b"ustar\0":
        return _text(block[345:476] if block[508:512] == b"tar\0" else block[345:500])
    if block[257:265] == b"ustar  \0":
        # Go once wrote names here in GNU's format too.
        times = block[345:369]
        if not times.strip(b"0123456789 \0") or times[0] & 0x80:
            return b""
        return _text(block[345:500])
    return b""


def _records(body: bytes, pax: Pax, offsets: list[tuple[bytes, bytes]]) -> None:
    """The records of a pax header, ``LENGTH KEY=VALUE``; the last of a key holds."""
    at = 0
    first = b""
    while at < len(body):
        space = body.find(b" ", at, at + 20)
        digits = body[at:space] if space > 0 else b""
        if not digits.isdigit():
            if not body[at:].strip(b"\0"):
                return
            raise BadArchive("archive/tar: invalid tar header: malformed pax record")
        end = at + int(digits)
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if end <= space or end > len(body) or body[end - 1 : end] != b"\n" or not equals or not key:
            raise BadArchive("archive/tar: invalid tar header: malformed pax record")
        if key == b"GNU.sparse.offset":
            first = value
        elif key == b"GNU.sparse.numbytes":
            offsets.append((first, value))
        else:
            pax[key] = value
        at = end


def _overridden(entry: Entry, pax: Pax, size: int) -> int:
    """Put a pax header's values in place of the block's; gives the size."""
    entry.name = pax.get(b"GNU.sparse.name") or pax.get(b"path") or entry.name
    entry.link = pax.get(b"linkpath") or entry.link
    if text := pax.get(b"uid"):
        entry.uid = _decimal(text)
    if text := pax.get(b"gid"):
        entry.gid = _decimal(text)
    if text := pax.get(b"mtime"):
        entry.mtime = _nanoseconds(text)
    for key, value in pax.items():
        if key.startswith(_XATTR):
            entry.xattrs[key.removeprefix(_XATTR).decode("utf-8", "surrogateescape")] = value
    return _decimal(text) if (text := pax.get(b"size")) else size


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise BadArchive("archive/tar: invalid tar header")
    return int(text)


def _nanoseconds(text: bytes) -> int:
    """A time with decimals; 0 for what no file system keeps."""
    whole, _, rest = text.partition(b".")
    minus = whole.startswith(b"-")
    digits = whole.removeprefix(b"-")
    if not digits.isdigit() or (rest and not rest.isdigit()) or len(digits) > 20:
        return 0
    seconds, fraction = int(digits), int(rest[:9].ljust(9, b"0") or b"0")
    if seconds >= _MTIME_MAX:
        return 0
    value = seconds * 1_000_000_000 + fraction
    return -value if minus else value
