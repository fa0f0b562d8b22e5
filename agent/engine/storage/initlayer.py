"""What every container's file system holds below its image: places that the runtime mounts on.

dockerd lays them under each container; here they are one lowest layer for all, so that an image's own files win.
Without it the runtime would make them in the writable layer, where ``docker diff`` and every commit would show them.
"""

import os
from pathlib import Path

DIRECTORIES = ("dev", "dev/pts", "dev/shm", "etc", "proc", "sys")
FILES = (".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf")
LINKS = {"etc/mtab": "/proc/mounts"}


def fill(folder: Path) -> None:
    """Make what is missing of it. Blocking; idempotent."""
    for name in DIRECTORIES:
        (folder / name).mkdir(mode=0o755, exist_ok=True)
    for name in FILES:
        os.close(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o755))
    for name, target in LINKS.items():
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)
