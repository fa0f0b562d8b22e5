"""Mounts with other owners: a second view of a directory in which the disk's ids are a user namespace's.

What lies on the disk as root's is seen as the namespace's root's, and what that root writes lies on the disk as root's.
Layers, and what containers write, so stay the same whether a container has a user namespace or not. Sources:
mount_setattr(2), open_tree(2), credentials(7); Linux 5.12, overlayfs on such mounts 5.19.
"""

import ctypes
import os
import struct
from pathlib import Path

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_CLONE, _CLOEXEC = 1, os.O_CLOEXEC
_EMPTY_PATH, _FROM_EMPTY_PATH = 0x1000, 4
_IDMAP = 0x00100000
_HERE = -100
_PR_SET_SECUREBITS, _NO_SETUID_FIXUP = 28, 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def clone(source: Path, target: Path, namespace: int) -> None:
    """Mount a directory, without what is mounted in it, at another one, with the ids of a user namespace.

    Args:
        source: an existing directory.
        target: another one.
        namespace: the user namespace, open.

    Raises:
        OSError: the kernel, or the file system below, cannot do it.
    """
    tree = _checked(_libc.syscall(_OPEN_TREE, _HERE, os.fsencode(source), _CLONE | _CLOEXEC), "open_tree")
    try:
        wanted = struct.pack("=QQQQ", _IDMAP, 0, 0, namespace)
        _checked(_libc.syscall(_MOUNT_SETATTR, tree, b"", _EMPTY_PATH, wanted, len(wanted)), "mount_setattr")
        _checked(_libc.syscall(_MOVE_MOUNT, tree, b"", _HERE, os.fsencode(target), _FROM_EMPTY_PATH), "move_mount")
    finally:
        os.close(tree)


def make_files_as(uid: int, gid: int) -> None:
    """Files that this thread makes from now on belong to this user; what it may do stays the same."""
    _checked(_libc.prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0), "prctl")
    _libc.setfsgid(gid)
    _libc.setfsuid(uid)
