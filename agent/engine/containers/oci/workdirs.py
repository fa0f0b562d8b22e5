"""Where a program may begin: never by way of a process's own links in ``/proc``, which could lead out of the container.

``/proc/self/fd/7`` as a working directory was once a descriptor of the host that the runtime had left open
(CVE-2024-21626). A link in the image, or one that the container has just made, leads there as well.
"""

import os
import stat
from pathlib import Path

from agent.engine.errors import Invalid
from agent.engine.kernel.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

_IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_MOST_LINKS = 40
_LONGEST = 4096  # PATH_MAX


def check(root: Path, directory: str) -> None:
    """Judge a working directory. Blocks for a few system calls.

    Args:
        root: the container's, mounted; its ``/proc`` need not be.
        directory: as the client or the image writes it.

    Raises:
        Invalid: it leads to a process's own directory in /proc, or is longer than any path.
    """
    if len(os.fsencode(directory)) >= _LONGEST:
        raise Invalid(f"the working directory is longer than {_LONGEST - 1} bytes")
    if leads_to_process(root, directory):
        raise Invalid(f"the working directory '{directory}' leads through a descriptor")


def leads_to_process(root: Path, directory: str) -> bool:
    """The path, links followed as seen from the root, comes by ``/proc/PID`` or what stands for it."""
    done: list[str] = []
    todo = [part for part in directory.split("/") if part not in {"", "."}]
    links = 0
    anchor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while todo:
            part = todo.pop(0)
            if part == "..":
                done = done[:-1]
                continue
            done.append(part)
            if len(done) == 2 and done[0] == "proc" and (part.isdigit() or part in {"self", "thread-self"}):
                return True
            target = _link(anchor, "/".join(done))
            if target is not None:
                links += 1
                if links > _MOST_LINKS:
                    return True
                done = [] if target.startswith("/") else done[:-1]
                todo = [step for step in target.split("/") if step not in {"", "."}] + todo
    finally:
        os.close(anchor)
    return False


def _link(anchor: int, path: str) -> str | None:
    try:
        descriptor = openat2(anchor, path, os.O_PATH | os.O_NOFOLLOW, resolve=_IN_ROOT)
    except OSError:
        return None
    try:
        if not stat.S_ISLNK(os.fstat(descriptor).st_mode):
            return None
        return os.readlink(b"", dir_fd=descriptor).decode(errors="surrogateescape")
    finally:
        os.close(descriptor)
