"""An archive as a stream that only moves forward, with a cap on everything that a header may ask for."""

import hashlib
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO

META = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


class BadArchive(Exception):
    """The archive is malformed, or asks for what no layer may have."""


class TooLarge(BadArchive):
    """The archive passes a cap."""


class Tape:
    """What TarFile reads from: plain bytes, hashed and counted on the way. Seeks forward only.

    Args:
        pieces: the bytes.
        limit: more than so many are refused.
        hashed: somebody wants to know the digest: it takes as long as the rest.
    """

    def __init__(self, pieces: Iterator[bytes], limit: int, *, hashed: bool = True) -> None:
        self._pieces, self._limit, self._hashed = pieces, limit, hashed
        self._hash = hashlib.sha256()
        self._piece = memoryview(b"")
        self._taken = 0
        self._position = 0

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, fewer only at the end."""
        if size <= len(self._piece):
            found = bytes(self._piece[:size])
            self._piece = self._piece[size:]
            self._position += size
            return found
        parts: list[memoryview] = []
        missing = size
        while missing > 0 and (self._piece or self._next()):
            part = self._piece[:missing]
            self._piece = self._piece[len(part) :]
            missing -= len(part)
            parts.append(part)
        self._position += size - missing
        return b"".join(parts)

    def tell(self) -> int:
        """Bytes handed out so far."""
        return self._position

    def seek(self, position: int) -> None:
        """Skip forward.

        Raises:
            BadArchive: the archive wants to go back.
        """
        if position < self._position:
            raise BadArchive("archive/tar: invalid tar header")
        while (missing := position - self._position) > 0 and (self._piece or self._next()):
            step = min(missing, len(self._piece))
            self._piece = self._piece[step:]
            self._position += step

    def digest(self) -> str:
        """Read what is left and give the digest of the whole, if that was wanted."""
        while self._next():
            pass
        return "sha256:" + self._hash.hexdigest() if self._hashed else ""

    def _next(self) -> bool:
        piece = next(self._pieces, b"")
        if not piece:
            return False
        self._taken += len(piece)
        if self._taken > self._limit:
            raise TooLarge(f"the layer is larger than {self._limit} bytes unpacked")
        if self._hashed:
            self._hash.update(piece)
        self._piece = memoryview(piece)
        return True


class Member(tarfile.TarInfo):
    """A header that is refused before its payload is read into memory."""

    limit = 1 << 20

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "Member":
        """The next header. TarFile takes a damaged one for the end of the archive; here it is an error."""
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError, tarfile.SubsequentHeaderError) as error:  # type: ignore[attr-defined]
            raise BadArchive("archive/tar: invalid tar header") from error
        except (RecursionError, ValueError, UnicodeError, OverflowError) as error:
            raise BadArchive(f"archive/tar: invalid tar header: {error}") from None

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.size < 0:
            raise BadArchive("archive/tar: invalid tar header: negative size")
        if self.type in META and self.size > self.limit:
            raise TooLarge(f"a header of {self.size} bytes: more than {self.limit}")
        return super()._proc_member(archive)  # type: ignore[misc]


def members(tape: Tape, header_limit: int) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Every member in order, with the archive to read its content from.

    Raises:
        BadArchive: malformed, cut short, or past a cap.
    """
    kind = type("Member", (Member,), {"limit": header_limit})
    source: BinaryIO = tape  # type: ignore[assignment]
    try:
        with tarfile.TarFile(
            fileobj=source, mode="r", tarinfo=kind, encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]
                yield archive, member
    except tarfile.ReadError as error:
        if str(error) == "empty file":
            return
        raise BadArchive(f"unexpected EOF: {error}") from None
    except (tarfile.TarError, RecursionError) as error:
        raise BadArchive(f"archive/tar: {error}") from None
