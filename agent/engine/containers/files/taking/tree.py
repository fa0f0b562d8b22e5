"""Walk a tree by descriptors and write it as a tar. No path is ever looked up twice, and no link is followed."""

import contextlib
import os
import stat
import tarfile

from agent.engine.containers.files.taking.out import Out
from agent.engine.kernel.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, filesystem, openat2

IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_KEPT_XATTRS = ("security.capability", "user.")
_MOST_LINKS = 255
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
# proc, sysfs, cgroup, cgroup2, devpts, mqueue, debugfs, tracefs, securityfs, bpf, configfs, pstore, efivarfs
_KERNELS = frozenset(
    {0x9FA0, 0x62656572, 0x27E0EB, 0x63677270, 0x1CD1, 0x19800202, 0x64626720, 0x74726163, 0x73636673, 0xCAFE4A11}
    | {0x62656570, 0x6165676C, 0xDE5E81E4}
)
# Bits of Go's os.FileMode, in which Docker's API tells modes.
_GO_TYPES = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
_GO_BITS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def go_mode(mode: int) -> int:
    """``st_mode`` as Go writes it."""
    bits = sum(bit for mask, bit in _GO_BITS.items() if mode & mask)
    return mode & 0o777 | bits | _GO_TYPES.get(stat.S_IFMT(mode), 0)


def resolved(root: int, path: str) -> str:
    """Where a path leads, as seen from the root; what is missing stays as it is named. For showing only."""
    done: list[str] = []
    todo = [part for part in path.split("/") if part]
    links = 0
    while todo:
        part = todo.pop(0)
        if part == ".":
            continue
        if part == "..":
            done = done[:-1]
            continue
        here = "/".join([*done, part])
        try:
            descriptor = openat2(root, here, os.O_PATH | os.O_NOFOLLOW, resolve=IN_ROOT)
        except OSError:
            return "/" + "/".join([*done, part, *todo])
        try:
            is_link = stat.S_ISLNK(os.fstat(descriptor).st_mode)
            target = os.readlink(b"", dir_fd=descriptor).decode(errors="surrogateescape") if is_link else ""
        finally:
            os.close(descriptor)
        if not is_link:
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            return "/" + here
        if target.startswith("/"):
            done = []
        todo = [step for step in target.split("/") if step] + todo
    return "/" + "/".join(done)


def find(root: int, path: str) -> tuple[int, os.stat_result]:
    """Open what a path names; a last link is itself, unless a ``/`` or ``/.`` comes after it.

    Raises:
        OSError: it is not there.
    """
    follow = path.endswith(("/", "/."))
    flags = os.O_PATH | (0 if follow else os.O_NOFOLLOW)
    descriptor = openat2(root, path.strip("/") or ".", flags, resolve=IN_ROOT)
    info = os.fstat(descriptor)
    if follow and not stat.S_ISDIR(info.st_mode):
        os.close(descriptor)
        raise NotADirectoryError(20, "Not a directory", path)
    return descriptor, info


def names(directory: int) -> list[str]:
    """What an open directory holds, in byte order."""
    return sorted(os.listdir(directory), key=os.fsencode)


class Apart:
    """What is no part of a container's files: the kernel's own file systems, and the devices that its runtime made.

    Args:
        root: the container's.
        devices: ``/dev`` is the runtime's, where it is a file system of its own.
    """

    def __init__(self, root: int, *, devices: bool) -> None:
        self._known: dict[int, bool] = {}
        if devices:
            with contextlib.suppress(OSError):
                device = os.stat("dev", dir_fd=root, follow_symlinks=False).st_dev
                if device != os.fstat(root).st_dev:
                    self._known[device] = True

    def __call__(self, descriptor: int, device: int) -> bool:
        """An open file of this device is none of the container's."""
        if device not in self._known:
            self._known[device] = filesystem(descriptor) in _KERNELS
        return self._known[device]


class Writer:
    """Writes files as a tar; of a folder that is ``apart`` no more than its name."""

    def __init__(self, out: Out, apart: Apart) -> None:
        self._out, self._apart = out, apart
        self._seen: dict[tuple[int, int], str] = {}

    def close(self) -> None:
        """The end of the archive: two empty blocks, as Go writes it."""
        self._out.write(b"\0" * 2 * tarfile.BLOCKSIZE)

    def _header(self, member: tarfile.TarInfo) -> None:
        self._out.write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def add(self, parent: int, base: str, name: str) -> None:
        """One entry of an open directory, and all below it.

        Args:
            parent: the directory.
            base: the entry's name in it; ``.`` for the directory itself.
            name: what it is called in the archive.
        """
        try:
            info = os.stat(base, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        kind = _TYPES.get(stat.S_IFMT(info.st_mode))
        if kind is None:
            return  # sockets have no place in an archive
        member = tarfile.TarInfo(name)
        member.type, member.mode = kind, stat.S_IMODE(info.st_mode)
        member.uid, member.gid = info.st_uid, info.st_gid
        member.mtime = info.st_mtime_ns // 10**9
        if member.issym():
            member.linkname = os.readlink(base, dir_fd=parent)
        elif member.ischr() or member.isblk():
            member.devmajor, member.devminor = os.major(info.st_rdev), os.minor(info.st_rdev)
        if member.isdir():
            self._folder(parent, base, member)
        elif member.isreg():
            self._file(parent, base, member, info)
        else:
            self._header(member)

    def _folder(self, parent: int, base: str, member: tarfile.TarInfo) -> None:
        try:
            inner = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except OSError:
            return  # replaced by something else since
        try:
            self._header(member)
            if self._apart(inner, os.fstat(inner).st_dev):
                return
            prefix = member.name if member.name.endswith("/") else member.name + "/"
            for entry in names(inner):
                self.add(inner, entry, prefix + entry)
        finally:
            os.close(inner)

    def _file(self, parent: int, base: str, member: tarfile.TarInfo, info: os.stat_result) -> None:
        key = (info.st_dev, info.st_ino)
        if info.st_nlink > 1 and key in self._seen:
            member.type, member.linkname = tarfile.LNKTYPE, self._seen[key]
            self._header(member)
            return
        try:
            descriptor = os.open(base, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        except OSError:
            return
        try:
            there = os.fstat(descriptor)
            if not stat.S_ISREG(there.st_mode):
                return
            member.size = there.st_size
            self._attributes(descriptor, member)
            self._header(member)
            self._out.file(descriptor, member.size)
            if rest := member.size % tarfile.BLOCKSIZE:
                self._out.write(b"\0" * (tarfile.BLOCKSIZE - rest))
            self._seen[key] = member.name
        finally:
            os.close(descriptor)

    @staticmethod
    def _attributes(descriptor: int, member: tarfile.TarInfo) -> None:
        headers: dict[str, str] = {}
        member.pax_headers = headers
        try:
            for key in os.listxattr(descriptor):
                if key.startswith(_KEPT_XATTRS):
                    value = os.getxattr(descriptor, key).decode("utf-8", "surrogateescape")
                    headers[f"SCHILY.xattr.{key}"] = value
        except OSError:
            return
