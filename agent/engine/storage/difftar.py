"""A layer's folder as a tar, always the same bytes for the same folder.

The digest of this tar is a built layer's diff id, and the tar itself is made again at push or save, so the form is
fixed: names in byte order, PAX, whole seconds, numeric owners only. Overlay's own marks become the image format's
whiteouts.
"""

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from agent.engine.storage.marks import BOOKKEEPING, KERNEL, OPAQUE, WHITEOUT, Marks

_KEPT_XATTRS = ("user.", "security.capability", "system.posix_acl_")
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


class Sink(Protocol):
    """Where the tar goes; raises to stop."""

    def write(self, data: bytes, /) -> object: ...


def write_tar(folder: Path, sink: Sink, marks: Marks = KERNEL) -> int:
    """Write the layer in ``folder`` as a tar. Blocking.

    Returns:
        The sum of the sizes of its files.
    """
    size = 0
    links: dict[tuple[int, int], str] = {}
    with tarfile.open(fileobj=_Wrapped(sink), mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 16) as archive:
        for path, name in _walk(folder, ""):
            info = path.lstat()
            if stat.S_ISSOCK(info.st_mode):
                continue  # no archive holds a socket, and no reader would find its listener
            hidden = marks.hidden(path.name, info)
            if hidden is not None:
                if hidden:
                    archive.addfile(_empty(f"{name.removesuffix(path.name)}{WHITEOUT}{hidden}", info))
                continue
            member = _member(path, name, info)
            if stat.S_ISREG(info.st_mode):
                first = links.setdefault((info.st_dev, info.st_ino), name) if info.st_nlink > 1 else name
                if first != name:
                    member.type, member.linkname, member.size = tarfile.LNKTYPE, first, 0
                    archive.addfile(member)
                    continue
                size += info.st_size
                with path.open("rb") as content:
                    archive.addfile(member, content)
                continue
            archive.addfile(member)
            if member.isdir() and marks.is_opaque(path):
                archive.addfile(_empty(f"{name}/{OPAQUE}", info))
    return size


class _Wrapped(io.RawIOBase):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        self._sink.write(data)
        return len(data)


def _walk(folder: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    with os.scandir(folder) as scan:
        entries = sorted(scan, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        path, name = folder / entry.name, prefix + entry.name
        yield path, name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, name + "/")


def _member(path: Path, name: str, info: os.stat_result) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = _TYPES[stat.S_IFMT(info.st_mode)]
    member.mode = stat.S_IMODE(info.st_mode)
    member.uid, member.gid = info.st_uid, info.st_gid
    member.mtime = int(info.st_mtime)
    if member.isreg():
        member.size = info.st_size
    elif member.issym():
        member.linkname = str(path.readlink())
    elif member.ischr() or member.isblk():
        member.devmajor, member.devminor = os.major(info.st_rdev), os.minor(info.st_rdev)
    headers: dict[str, str] = {}
    for key in sorted(os.listxattr(path, follow_symlinks=False)):
        if key.startswith(_KEPT_XATTRS) and not key.startswith(BOOKKEEPING):
            value = os.getxattr(path, key, follow_symlinks=False)
            headers[f"SCHILY.xattr.{key}"] = value.decode("utf-8", "surrogateescape")
    member.pax_headers = headers
    return member


def _empty(name: str, info: os.stat_result) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode = 0o600
    member.mtime = int(info.st_mtime)
    return member
