"""Which files ADD unpacks: archives, packed or not, told by their content and not by their name. Blocking."""

import os
import tarfile

from agent.engine.storage.compression import CorruptStream, inflated

BLOCK = 512


def is_archive(fd: int) -> bool:
    """Whether an open file, packed or not, begins as a tar does; read from its start, and set back to it."""
    head = b""
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        for piece in inflated(lambda size: os.read(fd, size)):
            head += piece
            if len(head) >= BLOCK:
                break
        tarfile.TarInfo.frombuf(head[:BLOCK], "utf-8", "surrogateescape")
    except (CorruptStream, tarfile.HeaderError):
        return False
    finally:
        os.lseek(fd, 0, os.SEEK_SET)
    return True
