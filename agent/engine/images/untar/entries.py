"""One entry of an archive becomes one file, beneath the root and nowhere else.

The parent is opened by openat2 with the folder as root, so that no link leads out of it, and everything is then done by
descriptor: create, chown, chmod, xattrs. Times of folders come last, for writing into them changes them. Open parents
are kept for a while, until something is replaced; what a new file has of itself (owner, mode) is not set again.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from agent.engine.images.untar import names, xattrs
from agent.engine.images.untar.headers import BLOCK_DEVICE, CHAR, FIFO, FILES, FOLDER, HARDLINK, Entry
from agent.engine.images.untar.tape import BadArchive, Tape
from agent.engine.kernel.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2
from agent.engine.storage.marks import OPAQUE_XATTR, is_whiteout

_IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAJOR_MAX, _MINOR_MAX = 0xFFF, 0xFFFFF
_SPECIAL_BITS = 0o7000
_KEPT_OPEN = 64
T = TypeVar("T")


class Tree:
    """The folder being filled."""

    def __init__(
        self,
        root: int,
        *,
        name: str = "/",
        whiteouts: bool,
        keep_folders: bool,
        owner: tuple[int, int] | None,
        marks_as_files: bool = False,
    ) -> None:
        """
        Args:
            root: the folder, open.
            name: what messages call it.
            whiteouts: the archive is a layer; its ``.wh.`` names become overlay's marks.
            keep_folders: refuse to replace a folder by something else, or the reverse.
            owner: uid and gid of everything, in place of the archive's.
            marks_as_files: keep whiteouts as the image format's files, where overlay's marks cannot be.
        """
        self._root, self._whiteouts, self._keep, self._owner = root, whiteouts, keep_folders, owner
        self._name, self._steps = name, list[bytes]()
        self._files, self._hidden = marks_as_files, 0
        self._open: dict[bytes, tuple[int, bool]] = {}
        self._acls = not whiteouts
        self._times: list[tuple[bytes, int]] = []

    def add(self, tape: Tape, entry: Entry) -> None:
        """Make one entry, replacing what is in its place.

        Raises:
            BadArchive: the entry is refused.
            OSError: the kernel refused.
        """
        steps = self._steps = names.parts(entry.name, self._name)
        if not steps:
            self._finish_folder(os.dup(self._root), entry, b".")
            return
        if self._whiteouts and b".wh." in entry.name:
            if names.is_aufs(steps):
                return
            target = names.whiteout(steps)
            if target is not None:
                self._hide(b"/".join(steps[:-1]), target)
                return
        parent, plain = self._parent(b"/".join(steps[:-1]))
        base = steps[-1]
        if entry.kind in FILES:
            self._file(tape, entry, parent, base, plain=plain)
        elif entry.kind == FOLDER:
            self._directory(entry, parent, base, plain=plain)
        elif entry.kind == HARDLINK:
            self._link(entry, parent, base)
        elif entry.kind in {CHAR, BLOCK_DEVICE, FIFO}:
            self._node(entry, parent, base)
        else:
            target = _target(entry)
            self._fresh(parent, base, lambda: os.symlink(target, base, dir_fd=parent))
            self._dress(entry, parent, base, plain=plain)

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

    def _parent(self, path: bytes) -> tuple[int, bool]:
        """The folder, open; and whether what is made in it belongs to root and has the mode that was asked for."""
        if (known := self._open.get(path)) is not None:
            return known
        try:
            fd = openat2(self._root, path or b".", _FOLDER, resolve=_IN_ROOT)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                raise
            fd = self._implied(path.split(b"/"))
        if len(self._open) >= _KEPT_OPEN:
            os.close(self._open.pop(next(iter(self._open)))[0])
        info = os.fstat(fd)
        found = fd, not (self._acls or info.st_gid or info.st_mode & stat.S_ISGID)
        self._open[path] = found
        return found

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
        hides = self._unhidden(parent, base)
        try:
            os.mkdir(base, 0o755, dir_fd=parent)
        except FileExistsError:
            if not (self._whiteouts and is_whiteout(os.lstat(base, dir_fd=parent))):
                raise
            os.unlink(base, dir_fd=parent)
            os.mkdir(base, 0o755, dir_fd=parent)
            hides = True
        fd = os.open(base, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        if hides:
            self._make_opaque(fd)
        return fd

    def _directory(self, entry: Entry, parent: int, base: bytes, *, plain: bool) -> None:
        path = b"/".join(self._steps)
        if (
            plain
            and not self._hidden
            and not entry.mode & ~0o777
            and not entry.xattrs
            and self._belongs(entry) == (0, 0)
        ):
            with suppress(FileExistsError):
                os.mkdir(base, entry.mode, dir_fd=parent)
                self._times.append((path, entry.mtime))
                return
        self._forget(but=parent)
        self._finish_folder(self._folder(parent, base), entry, path)

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

    def _finish_folder(self, fd: int, entry: Entry, path: bytes) -> None:
        try:
            os.fchown(fd, *self._belongs(entry))
            os.fchmod(fd, entry.mode & 0o7777)
            if entry.xattrs:
                xattrs.apply(fd, entry)
                self._acls = True
        finally:
            os.close(fd)
        self._times.append((path, entry.mtime))

    def _file(self, tape: Tape, entry: Entry, parent: int, base: bytes, *, plain: bool) -> None:
        mode = entry.mode & 0o7777
        owner = self._belongs(entry)
        fd = self._fresh(parent, base, lambda: os.open(base, _NEW, mode & 0o777 if plain else 0o600, dir_fd=parent))
        try:
            if entry.sparse is None:
                _copy(tape, fd, entry.stored)
            else:
                for offset, length in entry.sparse:
                    os.lseek(fd, offset, os.SEEK_SET)
                    _copy(tape, fd, length)
                os.ftruncate(fd, entry.size)
            if not plain or owner != (0, 0):
                os.fchown(fd, *owner)
            if not plain or mode & _SPECIAL_BITS:
                os.fchmod(fd, mode)
            if entry.xattrs:
                xattrs.apply(fd, entry)
            os.utime(fd, ns=(entry.mtime, entry.mtime))
        finally:
            os.close(fd)

    def _link(self, entry: Entry, parent: int, base: bytes) -> None:
        target = names.parts(entry.link, self._name)
        if not target:
            raise BadArchive(f"invalid hardlink {entry.name[:200]!r} -> {entry.link[:200]!r}")
        path = b"/".join(target[:-1])
        try:
            known = self._open.get(path)
            folder = os.dup(known[0]) if known else openat2(self._root, path or b".", _FOLDER, resolve=_IN_ROOT)
            try:
                hidden = self._files and target[-1].startswith(names.WHITEOUT)
                if hidden or (self._whiteouts and is_whiteout(os.lstat(target[-1], dir_fd=folder))):
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
            raise BadArchive(f"invalid hardlink {entry.name[:200]!r} -> {entry.link[:200]!r}: {error}") from None

    def _node(self, entry: Entry, parent: int, base: bytes) -> None:
        device = 0
        kind = stat.S_IFIFO
        if entry.kind != FIFO:
            kind = stat.S_IFCHR if entry.kind == CHAR else stat.S_IFBLK
            major, minor = entry.device
            if not (0 <= major <= _MAJOR_MAX and 0 <= minor <= _MINOR_MAX):
                raise BadArchive(f"device number {major}:{minor} is out of range")
            device = os.makedev(major, minor)
        self._fresh(parent, base, lambda: os.mknod(base, kind | (entry.mode & 0o7777), device, dir_fd=parent))
        self._dress(entry, parent, base, plain=False)

    def _dress(self, entry: Entry, parent: int, base: bytes, *, plain: bool) -> None:
        """Owner, xattrs and times of what cannot be opened; never through a link."""
        owner = self._belongs(entry)
        if not plain or owner != (0, 0):
            os.chown(base, *owner, dir_fd=parent, follow_symlinks=False)
        if entry.xattrs:
            os.fchdir(parent)
            xattrs.apply(base, entry)
        os.utime(base, ns=(entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)

    def _belongs(self, entry: Entry) -> tuple[int, int]:
        if self._owner is not None:
            return self._owner
        uid, gid = entry.uid, entry.gid
        if not (0 <= uid < 1 << 32 and 0 <= gid < 1 << 32):
            raise BadArchive(f"owner {uid}:{gid} of {entry.name[:200]!r} is out of range")
        return uid, gid

    def _fresh(self, parent: int, base: bytes, make: Callable[[], T]) -> T:
        """Make an entry; what is in its place goes first."""
        self._unhidden(parent, base)
        try:
            return make()
        except FileExistsError:
            self._clear(parent, base)
            self._forget(but=parent)
        return make()

    def _clear(self, parent: int, base: bytes) -> None:
        if stat.S_ISDIR(os.lstat(base, dir_fd=parent).st_mode):
            if self._keep:
                raise BadArchive(f'cannot overwrite directory "{self._current}" with non-directory "{self._name}"')
            shutil.rmtree(base, dir_fd=parent)
        else:
            os.unlink(base, dir_fd=parent)

    def _hide(self, path: bytes, target: bytes) -> None:
        """A whiteout: of the whole folder, or of one name. Entries of the same layer stay."""
        parent, _ = self._parent(path)
        if not target:
            self._make_opaque(parent)
            return
        try:
            if not self._files:
                os.mknod(target, stat.S_IFCHR, 0, dir_fd=parent)
                return
            found = os.lstat(target, dir_fd=parent)
        except FileNotFoundError:
            _touch(names.WHITEOUT + target, parent)
            self._hidden += 1
            return
        except FileExistsError:
            found = os.lstat(target, dir_fd=parent)
        if stat.S_ISDIR(found.st_mode):
            fd = os.open(target, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                self._make_opaque(fd)
            finally:
                os.close(fd)

    def _make_opaque(self, folder: int) -> None:
        if self._files:
            _touch(names.OPAQUE, folder)
        else:
            os.setxattr(folder, OPAQUE_XATTR, b"y")

    def _unhidden(self, parent: int, base: bytes) -> bool:
        """Take away this layer's own whiteout of a name, where it is a file; whether there was one."""
        if not self._hidden:
            return False
        try:
            os.unlink(names.WHITEOUT + base, dir_fd=parent)
        except FileNotFoundError:
            return False
        self._hidden -= 1
        return True

    def _forget(self, but: int = -1) -> None:
        """Close the open parents: a path of theirs may lead elsewhere from now on."""
        for path, (fd, _) in list(self._open.items()):
            if fd != but:
                os.close(fd)
                del self._open[path]

    @property
    def _current(self) -> str:
        return f"{self._name.rstrip('/')}/{os.fsdecode(b'/'.join(self._steps))}"


def _copy(tape: Tape, fd: int, size: int) -> None:
    end = tape.position + size
    for part in tape.parts(size):
        written = os.write(fd, part)
        while written < len(part):
            written += os.write(fd, part[written:])
    if tape.position < end:
        raise BadArchive("unexpected EOF")


def _target(entry: Entry) -> bytes:
    if not entry.link or b"\0" in entry.link:
        raise BadArchive(f"invalid symlink {entry.name[:200]!r} -> {entry.link[:200]!r}")
    return entry.link


def _touch(name: bytes, folder: int) -> None:
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder))
