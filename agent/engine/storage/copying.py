"""Copies of files as they are: content, holes, owners, modes, attributes, times. Blocking.

Content is shared with the original where the file system can (reflinks), else copied within the kernel; a copy is never
another name of the original. No link is followed.
"""

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from agent.engine.storage.marks import BOOKKEEPING

_FICLONE = 0x40049409
_PIECE = 1 << 30
_NO_RANGES = frozenset({errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
_NO_ATTRIBUTES = frozenset({errno.EOPNOTSUPP, errno.EPERM, errno.EACCES})


class Links:
    """Which copy has which original, so that names of one file stay names of one file."""

    def __init__(self) -> None:
        self._copies: dict[tuple[int, int], Path] = {}

    def linked(self, info: os.stat_result, target: Path) -> bool:
        """Make the target another name of the copy there is; False where it is the first."""
        if info.st_nlink == 1:
            return False
        first = self._copies.setdefault((info.st_dev, info.st_ino), target)
        if first == target:
            return False
        os.link(first, target, follow_symlinks=False)
        return True


def copy(source: Path, info: os.stat_result, target: Path, links: Links) -> None:
    """Copy one file, link or device; of a folder make an empty one, whose ``dress`` comes when it is full.

    Raises:
        OSError: the kernel refused.
    """
    kind = stat.S_IFMT(info.st_mode)
    if kind == stat.S_IFDIR:
        target.mkdir(mode=0o700)
        return
    if links.linked(info, target):
        return
    if kind == stat.S_IFREG:
        _file(source, target, info)
        return
    if kind == stat.S_IFLNK:
        target.symlink_to(source.readlink())
    else:
        os.mknod(target, info.st_mode, info.st_rdev)
    dress(source, info, target)


def dress(source: Path, info: os.stat_result, target: Path) -> None:
    """Owner, mode, attributes and times. Owner first: chown clears the setuid bit and file capabilities."""
    os.chown(target, info.st_uid, info.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(info.st_mode):
        target.chmod(stat.S_IMODE(info.st_mode))
    for name, value in attributes(source).items():
        try:
            os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_ATTRIBUTES:
                raise
    os.utime(target, ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=False)


def attributes(path: Path) -> dict[str, bytes]:
    """A file's extended attributes, without an overlay's own and labels that the host gives."""
    found = {}
    with contextlib.suppress(OSError):
        for name in os.listxattr(path, follow_symlinks=False):
            if not name.startswith(BOOKKEEPING) and name != "security.selinux":
                found[name] = os.getxattr(path, name, follow_symlinks=False)
    return found


def same_content(one: Path, other: Path) -> bool:
    """Two files of the same size hold the same bytes."""
    with one.open("rb", buffering=0) as first, other.open("rb", buffering=0) as second:
        while True:
            ours, theirs = first.read(1 << 20), second.read(1 << 20)
            if ours != theirs:
                return False
            if not ours:
                return True


def _file(source: Path, target: Path, info: os.stat_result) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if info.st_size:
                _content(reading, writing, info.st_size)
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    dress(source, info, target)


def _content(reading: int, writing: int, size: int) -> None:
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError:
        _pieces(reading, writing, size)


def _pieces(reading: int, writing: int, size: int) -> None:
    """What lies between the holes."""
    start = 0
    while start < size:
        try:
            start = os.lseek(reading, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            break
        end = os.lseek(reading, start, os.SEEK_HOLE)
        _range(reading, writing, start, end)
        start = end
    os.ftruncate(writing, size)


def _range(reading: int, writing: int, start: int, end: int) -> None:
    while start < end:
        try:
            done = os.copy_file_range(reading, writing, min(end - start, _PIECE), start, start)
        except OSError as error:
            if error.errno not in _NO_RANGES:
                raise
            os.lseek(writing, start, os.SEEK_SET)
            done = os.sendfile(writing, reading, start, min(end - start, _PIECE))
        if not done:
            return  # it became shorter meanwhile
        start += done
