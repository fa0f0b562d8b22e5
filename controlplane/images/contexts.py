"""Build contexts on their way to a host: `LONGSHORE_DATA/contexts/<sha256>`, kept until their orders have ended."""

import bz2
import contextlib
import gzip
import hashlib
import io
import itertools
import os
import posixpath
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings

from controlplane.common.errors import Invalid

LARGEST: Final = 2 * 1024**3
LONGEST: Final = 7 * 24 * 3600  # seconds; no order lives longer
# how far, in unpacked bytes and in entries, an archive is searched for its Dockerfile
_SEARCHED: Final = 512 * 1024**2
_ENTRIES: Final = 50_000
_DOCKERFILE: Final = 1024**2


def context_of_text(dockerfile: str) -> str:
    """A context of one Dockerfile; its digest."""
    buffer = io.BytesIO()
    data = dockerfile.encode()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        # Without times, so that the same text is the same context.
        entry = tarfile.TarInfo("Dockerfile")
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    return context_store([buffer.getvalue()])


def context_store(chunks: Iterable[bytes]) -> str:
    """Store an archive as it comes; its digest. The same bytes are stored once.

    Raises:
        Invalid: larger than LARGEST.
    """
    folder = Path(settings.LONGSHORE_DATA) / "contexts"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{os.getpid()}-{os.urandom(8).hex()}"
    digest, size = hashlib.sha256(), 0
    try:
        with draft.open("xb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > LARGEST:
                    raise Invalid(f"A build context may have {LARGEST >> 30} GiB", code="too_large")
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(folder / digest.hexdigest())
    finally:
        draft.unlink(missing_ok=True)
    return digest.hexdigest()


def dockerfile_of(digest: str, name: str) -> str:
    """The Dockerfile in a stored context; empty where it is not found within reason: the engine will say what is wrong.

    Plain, gzip and bzip2 archives are read.
    """
    wanted = posixpath.normpath(f"/{name}")
    path = Path(settings.LONGSHORE_DATA) / "contexts" / digest
    with contextlib.suppress(OSError, EOFError, ValueError, tarfile.TarError), path.open("rb") as file:
        archive = tarfile.open(fileobj=_Searched(_unpacked(file)), mode="r:")  # noqa: SIM115 (closes nothing of its own)
        for entry in itertools.islice(archive, _ENTRIES):
            if entry.isreg() and posixpath.normpath(f"/{entry.name}") == wanted:
                content = archive.extractfile(entry)
                return content.read(_DOCKERFILE).decode(errors="replace") if content else ""
    return ""


def _unpacked(file: IO[bytes]) -> Any:
    magic = file.read(3)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)
    return bz2.BZ2File(file) if magic == b"BZh" else file


class _Searched(io.RawIOBase):
    """A file that is not unpacked without end, and of which no header takes all memory."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """At most a Dockerfile's length at once."""
        if not 0 <= size <= _DOCKERFILE:
            raise tarfile.ReadError("a header without end")
        data: bytes = self._file.read(size)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """No further than is searched."""
        if whence != io.SEEK_SET or offset > _SEARCHED:
            raise tarfile.ReadError("searched far enough")
        position: int = self._file.seek(offset)
        return position

    def tell(self) -> int:
        """Where it stands."""
        position: int = self._file.tell()
        return position


def context_drop(digest: str) -> None:
    """Forget a context."""
    if len(digest) == 64 and digest.isalnum():
        (Path(settings.LONGSHORE_DATA) / "contexts" / digest).unlink(missing_ok=True)


def context_exists(digest: str) -> bool:
    """Whether it is still there."""
    return len(digest) == 64 and digest.isalnum() and (Path(settings.LONGSHORE_DATA) / "contexts" / digest).is_file()


def contexts_expire() -> None:
    """Forget contexts that no order can need any more."""
    folder = Path(settings.LONGSHORE_DATA) / "contexts"
    for path in folder.iterdir() if folder.is_dir() else ():
        if time.time() - path.stat().st_mtime > LONGEST:
            path.unlink(missing_ok=True)
