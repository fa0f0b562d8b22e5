"""Blocks kept back, so that a full disk can be emptied.

Stopping and removing must be written down too. When a write of theirs finds the disk full, the reserve is given up for
it; other writes fail until the reserve can be had again.
"""

import os
import shutil
from pathlib import Path

from agent.engine.kernel.files import sync_directory

LARGEST = 64 << 20
PART = 64
"""At most one part in so many of the disk."""


class Reserve:
    """A file of real blocks, or its absence."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = min(LARGEST, shutil.disk_usage(path.parent).total // PART)

    def have(self) -> bool:
        """The blocks are there, taken anew if need be. Blocks for a system call."""
        if self._path.exists():
            return True
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:
            self._path.unlink()
            return False
        finally:
            os.close(descriptor)
        return True

    def give_up(self) -> bool:
        """Free the blocks; False where they were free already."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        # A journalling file system frees blocks once their removal is on the disk.
        sync_directory(self._path.parent)
        return True
