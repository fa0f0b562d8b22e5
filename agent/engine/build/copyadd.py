"""COPY and ADD into the layer being made: what goes where, and the copying itself. Blocking.

Both sides are ``Tree``s, so links in the source, in the image and in the target lead nowhere but inside their own root.
"""

import contextlib
import os
import posixpath
import stat
from dataclasses import dataclass

from agent.engine.build import modes
from agent.engine.build.ignore import Ignore
from agent.engine.build.tree import PIECE, Entry, Tree, open_entry
from agent.engine.errors import Invalid

KEPT_XATTRS = ("security.capability", "user.")


@dataclass(frozen=True)
class How:
    """What happens to owners and modes; None keeps the source's owner."""

    owner: tuple[int, int] | None = (0, 0)
    chmod: str = ""
    ignore: Ignore | None = None


class Target:
    """The root of the layer being made."""

    def __init__(self, tree: Tree, how: How) -> None:
        self.tree = tree
        self._how = how

    def place_file(self, name: str, destination: str, *, many: bool) -> str:
        """Where a file of that name goes."""
        if many or destination.endswith("/") or self.tree.is_folder(destination):
            return posixpath.join(destination, name)
        return destination

    def folder(self, path: str) -> int:
        """A folder, open; it and those above it are made if they are not there.

        Raises:
            Invalid: something on the way is no folder.
        """
        done = ""
        fd = os.open(self.tree.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in [part for part in posixpath.normpath("/" + path.lstrip("/")).split("/") if part]:
            done = f"{done}/{part}"
            try:
                inner = self.tree.open(done, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                inner = self._made(fd, part, done)
            except NotADirectoryError:
                raise Invalid(f"cannot create the folder {done}: a file is in its place") from None
            finally:
                os.close(fd)
            fd = inner
        return fd

    def _made(self, parent: int, name: str, path: str) -> int:
        try:
            os.mkdir(name, 0o755, dir_fd=parent)
        except FileExistsError:
            # A link whose target is not there.
            raise Invalid(f"cannot create the folder {path}: a link that leads nowhere is in its place") from None
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        os.fchmod(fd, 0o755)
        if self._how.owner is not None:
            os.fchown(fd, *self._how.owner)
        return fd

    def write(self, path: str, content: bytes) -> None:
        """A new file with this content: a here-document."""
        parent = self.folder(posixpath.dirname(path))
        try:
            out = self._fresh(parent, posixpath.basename(path))
            with os.fdopen(out, "wb") as file:
                file.write(content)
                os.fchown(out, *(self._how.owner or (0, 0)))
                os.fchmod(out, modes.applied(self._how.chmod, 0o644, folder=False) if self._how.chmod else 0o644)
        finally:
            os.close(parent)

    def copy(self, source: Tree, path: str, destination: str) -> None:
        """A file to a path, or a folder's contents into a folder."""
        times: list[tuple[str, os.stat_result]] = []
        for entry, fd in source.walk(path, self._how.ignore):
            target = posixpath.join(destination, entry.path) if entry.path else destination
            if stat.S_ISDIR(entry.info.st_mode):
                if self._copy_folder(target, entry):
                    times.append((target, entry.info))
            else:
                parent = self.folder(posixpath.dirname(target.rstrip("/")))
                try:
                    self._copy_file(entry, fd, parent, posixpath.basename(target.rstrip("/")))
                finally:
                    os.close(parent)
        for target, info in reversed(times):
            fd = self.tree.open(target, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.utime(fd, ns=(info.st_atime_ns, info.st_mtime_ns))
            finally:
                os.close(fd)

    def _copy_folder(self, target: str, entry: Entry) -> bool:
        """Make one folder; False for the topmost one that was there, which keeps its owner and mode."""
        if not entry.path and self.tree.is_folder(target):
            return False
        fd = self.folder(target)
        try:
            self._dress(fd, entry)
        finally:
            os.close(fd)
        return True

    def _copy_file(self, entry: Entry, fd: int, parent: int, name: str) -> None:
        mode = entry.info.st_mode
        if stat.S_ISREG(mode):
            incoming = open_entry(entry, fd)
            try:
                out = self._fresh(parent, name)
                try:
                    _pour(incoming, out)
                    self._dress(out, entry)
                    _copy_xattrs(incoming, out)
                    os.utime(out, ns=(entry.info.st_atime_ns, entry.info.st_mtime_ns))
                finally:
                    os.close(out)
            finally:
                os.close(incoming)
            return
        self._clear(parent, name)
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(posixpath.basename(entry.path), dir_fd=fd), name, dir_fd=parent)
        elif stat.S_ISSOCK(mode):
            return
        else:
            os.mknod(name, mode, entry.info.st_rdev, dir_fd=parent)
        owner = self._how.owner or (entry.info.st_uid, entry.info.st_gid)
        os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
        times = (entry.info.st_atime_ns, entry.info.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)

    def _dress(self, fd: int, entry: Entry) -> None:
        mode = stat.S_IMODE(entry.info.st_mode)
        os.fchown(fd, *(self._how.owner or (entry.info.st_uid, entry.info.st_gid)))
        if self._how.chmod:
            mode = modes.applied(self._how.chmod, mode, folder=stat.S_ISDIR(entry.info.st_mode))
        os.fchmod(fd, mode)

    def _fresh(self, parent: int, name: str) -> int:
        self._clear(parent, name)
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=parent)

    def _clear(self, parent: int, name: str) -> None:
        """What is in a file's place goes, a link itself and not what it leads to."""
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            pass
        except IsADirectoryError:
            raise Invalid(f"cannot copy a file over the folder {name}") from None


def _pour(incoming: int, out: int) -> None:
    with contextlib.suppress(OSError):
        while os.copy_file_range(incoming, out, PIECE * 64):
            pass
    # Where the kernel cannot copy between these two file systems, what is left is copied by hand.
    while piece := os.read(incoming, PIECE):
        view = memoryview(piece)
        while view:
            view = view[os.write(out, view) :]


def _copy_xattrs(incoming: int, out: int) -> None:
    try:
        names = os.listxattr(incoming)
    except OSError:
        return
    for name in names:
        if name.startswith(KEPT_XATTRS):
            with contextlib.suppress(OSError):
                os.setxattr(out, name, os.getxattr(incoming, name))
