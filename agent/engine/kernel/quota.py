"""A limit on the size of a directory, by the project quota of ext4 and xfs.

A directory gets a project id that everything made in it inherits; the limit is the project's. The file system must
have the feature and be mounted with ``prjquota`` (ext4, xfs).
"""

import ctypes
import fcntl
import os
import struct
from pathlib import Path

from agent.engine.kernel import mounts

_FS_IOC_FSGETXATTR = 0x801C581F
_FS_IOC_FSSETXATTR = 0x401C5820
_FSXATTR = struct.Struct("=IIIII8x")  # flags, extent size, extents, project id, cow extent size
_INHERIT = 0x200
_PRJQUOTA = 2
_Q_XSETQLIM = 0x5804
_Q_XGETQSTAT = 0x5805
_ENFORCED = 1 << 5  # of qs_flags
_SYS_QUOTACTL = 179 if os.uname().machine == "x86_64" else 60
_FIRST = 1 << 20
"""Smaller ids are left to whoever sets quotas by hand."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def works(directory: Path) -> bool:
    """The file system that holds the directory enforces project quotas."""
    status = ctypes.create_string_buffer(256)
    try:
        _quotactl(_Q_XGETQSTAT, _device(directory), 0, status)
    except OSError:
        return False
    flags: int = struct.unpack_from("=bxH", status)[1]
    return bool(flags & _ENFORCED)


def limit(directory: Path, size: int) -> None:
    """Let an empty directory, and all that will be in it, hold so many bytes at most.

    Raises:
        OSError: the file system does not do that.
    """
    project = _FIRST + directory.stat().st_ino % (1 << 31)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        buffer = bytearray(_FSXATTR.size)
        fcntl.ioctl(fd, _FS_IOC_FSGETXATTR, buffer)
        flags, extent, extents, _, cow = _FSXATTR.unpack(buffer)
        fcntl.ioctl(fd, _FS_IOC_FSSETXATTR, _FSXATTR.pack(flags | _INHERIT, extent, extents, project, cow))
    finally:
        os.close(fd)
    blocks = size // 512  # basic blocks
    # struct fs_disk_quota: version, flags, fieldmask (hard and soft limit of blocks), id, hard, soft, the rest unused
    asked = struct.pack("=bBHIQQ", 1, _PRJQUOTA, 0x0C, project, blocks, blocks).ljust(112, b"\0")
    _quotactl(_Q_XSETQLIM, _device(directory), project, ctypes.create_string_buffer(asked, 112))


def _device(directory: Path) -> str:
    found = mounts.mount_of(directory)
    return found.source if found else ""


def _quotactl(command: int, device: str, project: int, data: "ctypes.Array[ctypes.c_char]") -> None:
    wanted = command << 8 | _PRJQUOTA
    if _libc.syscall(_SYS_QUOTACTL, wanted, os.fsencode(device), project, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), device)
