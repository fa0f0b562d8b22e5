"""Build contexts on their way to a host: `LONGSHORE_DATA/contexts/<sha256>`, kept until their orders have ended."""

import hashlib
import io
import os
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from django.conf import settings

from controlplane.common.errors import Invalid

LARGEST: Final = 2 * 1024**3
LONGEST: Final = 7 * 24 * 3600  # seconds; no order lives longer


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
