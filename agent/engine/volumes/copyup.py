"""Fill a fresh volume with what the image has at the place where it will be mounted.

The source is opened beneath the container's root with ``RESOLVE_IN_ROOT``, so that a link in the image never leads to
a file of the host; from there on no link is followed. Owner, mode, extended attributes and times are kept.
"""

import contextlib
import os
import stat
from pathlib import Path

from agent.engine.kernel import syscalls

CHUNK = 1 << 20


def copy_up(root: Path, inside: str, volume: Path, subpath: str = "") -> bool:
    """Copy the content of a directory of the image into an empty volume.

    Args:
        root: the container's root filesystem, mounted.
        inside: path in it, e.g. ``/var/lib/data``.
        volume: the volume's data directory.
        subpath: a directory in it, to be filled in its place.

    Returns:
        Whether the image has that directory and the volume was empty.
    """
    target = _target(volume, subpath)
    if target is None:
        return False
    try:
        with os.scandir(target) as entries:
            empty = next(entries, None) is None
        return empty and _filled(root, inside, target)
    finally:
        os.close(target)


def _target(volume: Path, subpath: str) -> int | None:
    anchor = os.open(volume, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        beneath = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS
        return syscalls.openat2(anchor, subpath or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=beneath)
    except OSError:
        return None  # the mount itself says what is wrong with it
    finally:
        os.close(anchor)


def _filled(root: Path, inside: str, target: int) -> bool:
    anchor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = syscalls.openat2(
            anchor, inside.lstrip("/") or ".", os.O_RDONLY | os.O_DIRECTORY, resolve=syscalls.RESOLVE_IN_ROOT
        )
    except (FileNotFoundError, NotADirectoryError):
        return False
    finally:
        os.close(anchor)
    try:
        _directory(source, target)
    finally:
        os.close(source)
    return True


def _directory(source: int, target: int) -> None:
    for name in os.listdir(source):
        found = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            os.mkdir(name, 0o700, dir_fd=target)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
            made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target)
            try:
                _directory(below, made)
            finally:
                os.close(below)
                os.close(made)
        elif stat.S_ISREG(found.st_mode):
            _file(source, target, name, found)
        elif stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
        else:
            os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target)
            os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
            os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=target)
    _attributes(source, target, os.fstat(source))


def _file(source: int, target: int, name: str, found: os.stat_result) -> None:
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        writing = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target)
        try:
            left = found.st_size
            while left > 0 and (copied := os.sendfile(writing, reading, None, min(left, CHUNK))):
                left -= copied
            _attributes(reading, writing, found)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _attributes(source: int, target: int, found: os.stat_result) -> None:
    """Owner first: chown clears the setuid bit and file capabilities."""
    os.fchown(target, found.st_uid, found.st_gid)
    os.fchmod(target, stat.S_IMODE(found.st_mode))
    for name in os.listxattr(source):
        # A filesystem of the volume without that kind of attribute keeps the file without it.
        if not name.startswith("trusted.overlay."):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
