"""System calls that Python 3.11 does not offer, through the C library.

Each function raises ``OSError`` with the call's errno. ctypes lets go of the interpreter lock while a call runs, so
a slow mount or unmount in a worker thread holds up nobody.
"""

import ctypes
import os
from typing import Any

CLONE_FS = 0x00000200
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_MANDLOCK = 64
MS_DIRSYNC = 128
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24

MNT_FORCE = 1
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

RESOLVE_NO_XDEV = 1
RESOLVE_NO_MAGICLINKS = 2
RESOLVE_NO_SYMLINKS = 4
RESOLVE_BENEATH = 8
RESOLVE_IN_ROOT = 16

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_HELD = 1 << 18
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_PDEATHSIG = 1
_SYS_OPENAT2 = 437
_SYS_PIVOT_ROOT = 155 if os.uname().machine == "x86_64" else 41

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.syscall.restype = ctypes.c_long


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _check(result: int, *names: Any) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *(os.fspath(name) for name in names[:1]))
    return result


def _bytes(value: "str | os.PathLike[str] | None") -> bytes | None:
    return None if value is None else os.fsencode(value)


def mount(
    source: "str | os.PathLike[str] | None",
    target: "str | os.PathLike[str]",
    kind: str | None,
    flags: int = 0,
    data: str | None = None,
) -> None:
    """mount(2)."""
    _check(_libc.mount(_bytes(source), os.fsencode(target), _bytes(kind), flags, _bytes(data)), target)


def umount(target: "str | os.PathLike[str]", flags: int = 0) -> None:
    """umount2(2)."""
    _check(_libc.umount2(os.fsencode(target), flags), target)


def unshare(flags: int) -> None:
    """unshare(2), for the calling thread."""
    _check(_libc.unshare(flags))


def setns(fd: int, kind: int = 0) -> None:
    """setns(2), for the calling thread. Threads that share their filesystem cannot enter a mount namespace."""
    _check(_libc.setns(fd, kind))


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _check(_libc.syscall(_SYS_PIVOT_ROOT, os.fsencode(new_root), os.fsencode(put_old)), new_root)


def syncfs(descriptor: int) -> None:
    """syncfs(2): write back the file system that holds the open file."""
    _check(_libc.syncfs(descriptor))


def filesystem(descriptor: int) -> int:
    """The magic number of the file system that an open file lies on."""
    found = (ctypes.c_long * 32)()
    _check(_libc.fstatfs(descriptor, ctypes.byref(found)))
    return found[0] & 0xFFFFFFFF


def openat2(directory: int, path: "str | bytes", flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2): open with limits on where the path may lead. Gives a descriptor that is closed on exec."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    name = os.fsencode(path)
    return _check(_libc.syscall(_SYS_OPENAT2, directory, name, ctypes.byref(how), ctypes.sizeof(how)), path)


def set_child_subreaper() -> None:
    """Orphans below this process become its children, so that their exit codes can be read."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def set_parent_death_signal(signal_number: int) -> None:
    """This process gets the signal when the thread that made it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0))


def spare_memory() -> None:
    """One heap for all threads, and back to the kernel what is free; call it before there are threads.

    Each of glibc's heaps keeps what its thread once needed: a fifth of a daemon that mostly waits.
    """
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        for option, value in ((_M_ARENA_MAX, 1), (_M_TRIM_THRESHOLD, _HELD), (_M_MMAP_THRESHOLD, _HELD)):
            mallopt(option, value)
