"""A program for the inside of a container: makes each system call that a container may not make, and tells how it went.

Arguments are such that a call which is let through fails for another reason or does no harm. Standard library alone:
it runs under the host's Python, from the host's root mounted read-only.
"""

import ctypes
import json
import os
import socket

X86 = {
    "mount": 165, "umount2": 166, "pivot_root": 155, "unshare": 272, "setns": 308, "clone3": 435, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "move_mount": 429, "open_tree": 428, "mount_setattr": 442,
    "keyctl": 250, "add_key": 248, "request_key": 249, "pidfd_getfd": 438, "syslog": 103, "reboot": 169, "mbind": 237,
    "get_mempolicy": 239, "set_mempolicy": 238, "set_mempolicy_home_node": 450, "bpf": 321, "perf_event_open": 298,
    "userfaultfd": 323, "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313,
    "delete_module": 176, "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179, "settimeofday": 164,
    "clock_settime": 227, "iopl": 172, "ioperm": 173, "open_by_handle_at": 304, "sethostname": 170,
    "setdomainname": 171, "vhangup": 153, "nfsservctl": 180, "lookup_dcookie": 212, "move_pages": 279,
    "io_uring_setup": 425,
}  # fmt: skip
ARM = {
    "mount": 40, "umount2": 39, "pivot_root": 41, "unshare": 97, "setns": 268, "clone3": 435, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "fspick": 433, "move_mount": 429, "open_tree": 428, "mount_setattr": 442,
    "keyctl": 219, "add_key": 217, "request_key": 218, "pidfd_getfd": 438, "syslog": 116, "reboot": 142, "mbind": 235,
    "get_mempolicy": 236, "set_mempolicy": 237, "set_mempolicy_home_node": 450, "bpf": 280, "perf_event_open": 241,
    "userfaultfd": 282, "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273,
    "delete_module": 106, "swapon": 224, "swapoff": 225, "acct": 89, "quotactl": 60, "settimeofday": 170,
    "clock_settime": 112, "open_by_handle_at": 265, "sethostname": 161, "setdomainname": 162, "vhangup": 58,
    "nfsservctl": 42, "lookup_dcookie": 18, "move_pages": 239, "io_uring_setup": 425,
}  # fmt: skip
CALLS = ARM if os.uname().machine == "aarch64" else X86
ARGUMENTS = {"unshare": (0x10000000,), "setns": (-1, 0x40000000), "clone3": (0, 0), "open_tree": (-100, b"/", 1)}
CLONE = 220 if CALLS is ARM else 56
NEW_USER_AND_MOUNT = 0x10020000


def ended(number: int, *arguments: object) -> int:
    """Make a call; 0, or why it failed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return 0 if libc.syscall(ctypes.c_long(number), *wide) >= 0 else ctypes.get_errno()


def opened(family: int, kind: int, protocol: int = 0) -> int:
    """Make a socket; 0, or why that failed."""
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return error.errno or -1
    return 0


def main() -> None:
    """Try them all and print what came of it."""
    found = {name: ended(number, *ARGUMENTS.get(name, (0, 0, 0, 0, 0))) for name, number in CALLS.items()}
    child = ended(CLONE, NEW_USER_AND_MOUNT | 17, 0, 0, 0, 0)
    found["clone with new namespaces"] = child
    socketing = 198 if CALLS is ARM else 41
    found |= {
        "socket AF_ALG": opened(38, socket.SOCK_SEQPACKET),
        "socket AF_VSOCK": opened(40, socket.SOCK_STREAM),
        "socket AF_ALG, high bits": ended(socketing, 38 | 1 << 32, socket.SOCK_SEQPACKET, 0),
        "socket audit": opened(16, socket.SOCK_RAW, 9),
        "socket raw": opened(socket.AF_INET, socket.SOCK_RAW, 1),
        "socket packet": opened(17, socket.SOCK_RAW, 3),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
