"""One entry of an archive becomes one file, beneath the root and nowhere else.

The parent is opened by openat2 with the folder as root, so that no link leads out of it, and everything is then done by
descriptor: create, chown, chmod, xattrs. Times of folders come last, for writing into them changes them.
"""

import errno
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import IO, TypeVar

from agent.engine.images.untar import names, xattrs
from agent.engine.images.untar.tape import BadArchive
from agent.engine.kernel.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2

_IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE = 1 << 18
_MAJOR_MAX, _MINOR_MAX = 0xFFF, 0xFFFFF
_MTIME_MAX = 1 << 33
OPAQUE_XATTR = "trusted.overlay.opaque"
T = TypeVar("T")


class Tree:
    """The folder being filled."""

    def __init__(
        self, root: int, *, name: str = "/", whiteouts: bool, keep_folders: bool, owner: tuple[int, int] | None
    ) -> None:
        """
        Args:
            root: the folder, open.
            name: what messages call it.
            whiteouts: the archive is a layer; its ``.wh.`` names become overlay's marks.
            keep_folders: refuse to replace a folder by something else, or the reverse.
            owner: uid and gid of everything, in place of the archive's.
        """
        self._root, self._whiteouts, self._keep, self._owner = root, whiteouts, keep_folders, owner
        self._name, self._current = name, ""
        self._cached: tuple[list[bytes], int] | None = None
        self._times: list[tuple[bytes, int]] = []

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Make one entry, replacing what is in its place.

        Raises:
            BadArchive: the entry is refused.
            OSError: the kernel refused.
        """
        steps = names.parts(member.name, self._name)
        self._current = f"{self._name.rstrip('/')}/{os.fsdecode(b'/'.join(steps))}"
        if not steps:
            self._finish_folder(os.dup(self._root), member, b".")
            return
        if self._whiteouts:
            if names.is_aufs(steps):
                return
            target = names.whiteout(steps)
            if target is not None:
                self._hide(steps[:-1], target)
                return
        parent = self._parent(steps[:-1])
        base = steps[-1]
        if member.isdir():
            self._finish_folder(self._folder(parent, base), member, b"/".join(steps))
        elif member.type in tarfile.REGULAR_TYPES:
            self._file(archive, member, parent, base)
        elif member.islnk():
            self._link(member, parent, base)
        elif member.issym():
            self._fresh(parent, base, lambda: os.symlink(_target(member), base, dir_fd=parent))
            self._dress(member, parent, base)
        elif member.ischr() or member.isblk() or member.isfifo():
            self._node(member, parent, base)
        else:
            raise BadArchive(f"unhandled tar header type {member.type!r}")

    def finish(self) -> None:
        """Set the folders' times."""
        self._forget()
        for path, mtime in reversed(self._times):
            with suppress(OSError):
                fd = openat2(self._root, path, _FOLDER, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
                try:
                    os.utime(fd, ns=(mtime, mtime))
                finally:
                    os.close(fd)

    def _parent(self, steps: list[bytes]) -> int:
        if self._cached and self._cached[0] == steps:
            return self._cached[1]
        self._forget()
        try:
            fd = openat2(self._root, b"/".join(steps) or b".", _FOLDER, resolve=_IN_ROOT)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                raise
            fd = self._implied(steps)
        self._cached = (steps, fd)
        return fd

    def _implied(self, steps: list[bytes]) -> int:
        """Make the folders that the archive takes for granted."""
        fd = os.dup(self._root)
        for count, step in enumerate(steps, start=1):
            try:
                inner = openat2(self._root, b"/".join(steps[:count]), _FOLDER, resolve=_IN_ROOT)
            except OSError as error:
                if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                    raise
                try:
                    inner = self._made(fd, step)
                except FileExistsError:
                    raise BadArchive(f"{b'/'.join(steps[:count])!r} is not a directory") from None
            finally:
                os.close(fd)
            fd = inner
        return fd

    def _made(self, parent: int, base: bytes) -> int:
        """A new folder; over this layer's own whiteout it becomes opaque, for the lower layers' folder is gone.

        Raises:
            FileExistsError: something else is there.
        """
        hides = False
        try:
            os.mkdir(base, 0o755, dir_fd=parent)
        except FileExistsError:
            if not (self._whiteouts and _is_whiteout(os.lstat(base, dir_fd=parent))):
                raise
            os.unlink(base, dir_fd=parent)
            os.mkdir(base, 0o755, dir_fd=parent)
            hides = True
        fd = os.open(base, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        if hides:
            os.setxattr(fd, OPAQUE_XATTR, b"y")
        return fd

    def _folder(self, parent: int, base: bytes) -> int:
        try:
            return self._made(parent, base)
        except FileExistsError:
            pass
        if not stat.S_ISDIR(os.lstat(base, dir_fd=parent).st_mode):
            if self._keep:
                raise BadArchive(
                    f'cannot overwrite non-directory "{self._current}" with directory "{self._name}"'
                ) from None
            os.unlink(base, dir_fd=parent)
            return self._made(parent, base)
        return os.open(base, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)

    def _finish_folder(self, fd: int, member: tarfile.TarInfo, path: bytes) -> None:
        try:
            self._own(fd, member)
            os.fchmod(fd, member.mode & 0o7777)
            xattrs.apply(fd, member)
        finally:
            os.close(fd)
        self._times.append((path, _mtime(member)))

    def _file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parent: int, base: bytes) -> None:
        fd = self._fresh(parent, base, lambda: os.open(base, _NEW, 0o600, dir_fd=parent))
        with open(fd, "wb", buffering=0) as out:  # noqa: PTH123
            source = archive.extractfile(member)
            assert source is not None
            _copy(source, out, member)
            self._own(fd, member)
            os.fchmod(fd, member.mode & 0o7777)
            xattrs.apply(fd, member)
            mtime = _mtime(member)
            os.utime(fd, ns=(mtime, mtime))

    def _link(self, member: tarfile.TarInfo, parent: int, base: bytes) -> None:
        target = names.parts(member.linkname, self._name)
        if not target:
            raise BadArchive(f"invalid hardlink {member.name[:200]!r} -> {member.linkname[:200]!r}")
        try:
            folder = openat2(self._root, b"/".join(target[:-1]) or b".", _FOLDER, resolve=_IN_ROOT)
            try:
                if self._whiteouts and _is_whiteout(os.lstat(target[-1], dir_fd=folder)):
                    raise FileNotFoundError(errno.ENOENT, "removed by this layer")
                self._fresh(
                    parent,
                    base,
                    lambda: os.link(target[-1], base, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False),
                )
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.EPERM, errno.ELOOP, errno.EXDEV}:
                raise
            raise BadArchive(f"invalid hardlink {member.name[:200]!r} -> {member.linkname[:200]!r}: {error}") from None

    def _node(self, member: tarfile.TarInfo, parent: int, base: bytes) -> None:
        device = 0
        kind = stat.S_IFIFO
        if not member.isfifo():
            kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
            if not (0 <= member.devmajor <= _MAJOR_MAX and 0 <= member.devminor <= _MINOR_MAX):
                raise BadArchive(f"device number {member.devmajor}:{member.devminor} is out of range")
            device = os.makedev(member.devmajor, member.devminor)
        self._fresh(parent, base, lambda: os.mknod(base, kind | (member.mode & 0o7777), device, dir_fd=parent))
        self._dress(member, parent, base)

    def _dress(self, member: tarfile.TarInfo, parent: int, base: bytes) -> None:
        """Owner, xattrs and times of what cannot be opened; never through a link."""
        uid, gid = self._owner or (member.uid, member.gid)
        os.chown(base, uid, gid, dir_fd=parent, follow_symlinks=False)
        os.fchdir(parent)
        xattrs.apply(base, member)
        mtime = _mtime(member)
        os.utime(base, ns=(mtime, mtime), dir_fd=parent, follow_symlinks=False)

    def _own(self, fd: int, member: tarfile.TarInfo) -> None:
        uid, gid = self._owner or (member.uid, member.gid)
        if not (0 <= uid < 1 << 32 and 0 <= gid < 1 << 32):
            raise BadArchive(f"owner {uid}:{gid} of {member.name[:200]!r} is out of range")
        os.fchown(fd, uid, gid)

    def _fresh(self, parent: int, base: bytes, make: Callable[[], T]) -> T:
        """Make an entry; what is in its place goes first."""
        try:
            return make()
        except FileExistsError:
            self._clear(parent, base)
        return make()

    def _clear(self, parent: int, base: bytes) -> None:
        if stat.S_ISDIR(os.lstat(base, dir_fd=parent).st_mode):
            if self._keep:
                raise BadArchive(f'cannot overwrite directory "{self._current}" with non-directory "{self._name}"')
            shutil.rmtree(base, dir_fd=parent)
        else:
            os.unlink(base, dir_fd=parent)

    def _hide(self, steps: list[bytes], target: bytes) -> None:
        """A whiteout: of the whole folder, or of one name. Entries of the same layer stay."""
        parent = self._parent(steps)
        if not target:
            os.setxattr(parent, OPAQUE_XATTR, b"y")
            return
        try:
            os.mknod(target, stat.S_IFCHR, 0, dir_fd=parent)
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(target, dir_fd=parent).st_mode):
                fd = os.open(target, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
                try:
                    os.setxattr(fd, OPAQUE_XATTR, b"y")
                finally:
                    os.close(fd)

    def _forget(self) -> None:
        if self._cached:
            os.close(self._cached[1])
            self._cached = None


def _copy(source: IO[bytes], out: IO[bytes], member: tarfile.TarInfo) -> None:
    sparse = member.issparse()
    left = member.size
    while left:
        try:
            piece = source.read(min(left, _PIECE))
        except tarfile.ReadError:
            piece = b""
        if not piece:
            raise BadArchive("unexpected EOF")
        left -= len(piece)
        if sparse and not piece.strip(b"\0"):
            out.seek(len(piece), os.SEEK_CUR)
        else:
            view = memoryview(piece)
            while view:
                view = view[out.write(view) :]
    if sparse:
        out.truncate(member.size)


def _target(member: tarfile.TarInfo) -> bytes:
    target = member.linkname.encode("utf-8", "surrogateescape")
    if not target or b"\0" in target:
        raise BadArchive(f"invalid symlink {member.name[:200]!r} -> {member.linkname[:200]!r}")
    return target


def _is_whiteout(info: os.stat_result) -> bool:
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def _mtime(member: tarfile.TarInfo) -> int:
    exact = member.pax_headers.get("mtime")
    try:
        seconds = Decimal(exact) if exact else Decimal(int(member.mtime))
        return int(seconds * 1_000_000_000) if abs(seconds) < _MTIME_MAX else 0
    except (InvalidOperation, ValueError, OverflowError):
        return 0
