"""Files beneath one root, by descriptor: a context, a stage, the layer being made. Blocking.

Every path is resolved by openat2 with the root as ``/``, so that no link in it, nor ``..``, leads to the host.
"""

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.engine.build.ignore import Ignore, compile_pattern
from agent.engine.errors import NotFound
from agent.engine.kernel.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
WILDCARDS = frozenset("*?[")
PIECE = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file below the path that was walked; ``path`` is relative to it, empty for itself."""

    path: str
    info: os.stat_result


class Tree:
    """A root, open."""

    def __init__(self, root: Path) -> None:
        self.path = root
        self.fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of the root."""
        os.close(self.fd)

    def open(self, path: str, flags: int) -> int:
        """Open a path, links followed within the root; raises OSError."""
        return openat2(self.fd, path.lstrip("/") or ".", flags, resolve=IN_ROOT)

    def stat(self, path: str) -> os.stat_result | None:
        """What a path leads to, or None."""
        try:
            fd = self.open(path, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def is_folder(self, path: str) -> bool:
        """Whether a path leads to a folder."""
        info = self.stat(path)
        return info is not None and stat.S_ISDIR(info.st_mode)

    def real(self, path: str) -> Path:
        """The path on the host of what a path leads to; for a tree that nobody changes meanwhile."""
        fd = self.open(path, os.O_PATH)
        try:
            return Path(f"/proc/self/fd/{fd}").readlink()
        finally:
            os.close(fd)

    def find(self, pattern: str) -> list[str]:
        """The paths that a source means: itself, or what matches its wildcards, in order.

        Raises:
            NotFound: there is nothing of that name.
        """
        parts = [part for part in posixpath.normpath("/" + pattern.lstrip("/")).split("/") if part]
        found = [""]
        for at, part in enumerate(parts):
            if not WILDCARDS & set(part):
                found = [f"{base}/{part}".lstrip("/") for base in found]
                continue
            wanted = compile_pattern(part)
            found = [
                f"{base}/{name}".lstrip("/")
                for base in found
                for name in self._names(base)
                if wanted.fullmatch(name) and (at + 1 == len(parts) or self.is_folder(f"{base}/{name}"))
            ]
        there = [path for path in found if self.stat(path) is not None]
        if not there:
            raise NotFound(f"stat {pattern}: file does not exist")
        return there

    def _names(self, folder: str) -> list[str]:
        try:
            fd = self.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            return sorted(os.listdir(fd))  # noqa: PTH208 - a Path knows no descriptors
        finally:
            os.close(fd)

    def walk(self, path: str, ignore: Ignore | None = None) -> Iterator[tuple[Entry, int]]:
        """A path and all below it, folders before what is in them, with the open folder that holds each entry.

        Links below are not followed; the path itself is. What ``ignore`` leaves out is passed over.
        """
        info = self.stat(path)
        if info is None:
            raise NotFound(f"stat {path}: file does not exist")
        if not stat.S_ISDIR(info.st_mode):
            fd = self.open(path, os.O_PATH)
            try:
                yield Entry("", info), fd
            finally:
                os.close(fd)
            return
        fd = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield Entry("", info), fd
            yield from _below(fd, "", ignore)
        finally:
            os.close(fd)

    def digest(self, path: str, *, owners: bool, ignore: Ignore | None = None) -> str:
        """What a path holds: names, types, modes, contents, and owners where they are kept; never times."""
        whole = hashlib.sha256()
        for entry, fd in self.walk(path, ignore):
            mode = entry.info.st_mode
            fields = [entry.path, f"{mode:o}", f"{entry.info.st_rdev}"]
            if owners:
                fields.append(f"{entry.info.st_uid}:{entry.info.st_gid}")
            whole.update("\0".join(fields).encode(errors="surrogateescape"))
            if stat.S_ISLNK(mode):
                whole.update(os.fsencode(os.readlink(posixpath.basename(entry.path), dir_fd=fd)))
            elif stat.S_ISREG(mode):
                whole.update(_content_digest(open_entry(entry, fd)))
            whole.update(b"\n")
        return whole.hexdigest()


def open_entry(entry: Entry, fd: int) -> int:
    """A regular file of ``walk``, open for reading; never through a link."""
    if entry.path:
        name = posixpath.basename(entry.path)
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=fd)
    return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def _below(fd: int, prefix: str, ignore: Ignore | None) -> Iterator[tuple[Entry, int]]:
    for name in sorted(os.listdir(fd)):
        path = f"{prefix}{name}"
        info = os.lstat(name, dir_fd=fd)
        is_folder = stat.S_ISDIR(info.st_mode)
        left_out = ignore is not None and path in ignore
        if left_out and not (is_folder and ignore is not None and ignore.has_exceptions):
            continue
        if not left_out:
            yield Entry(path, info), fd
        if is_folder:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            try:
                yield from _below(inner, f"{path}/", ignore)
            finally:
                os.close(inner)


def _content_digest(fd: int) -> bytes:
    whole = hashlib.sha256()
    with os.fdopen(fd, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            whole.update(piece)
    return whole.digest()
