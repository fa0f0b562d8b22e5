"""Children that this process never started: orphans out of containers, which fall to it as the subreaper.

A runtime that ends before its child leaves one. While such a zombie waits to be reaped, the first process of its
container cannot end, however hard it is killed.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path


def _children() -> Iterator[int]:
    for thread in Path("/proc/self/task").iterdir():
        try:
            yield from (int(pid) for pid in (thread / "children").read_text().split())
        except FileNotFoundError:
            continue


def _is_container_zombie(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    fields = dict(line.partition(":")[::2] for line in status.splitlines())
    # We start programs in our own pid namespace only: a pid of its own further down marks a stranger.
    return fields.get("State", "").strip().startswith("Z") and len(fields.get("NSpid", "").split()) > 1


def reap_strangers(spare: Collection[int] = ()) -> list[int]:
    """Reap zombies that came out of containers.

    Args:
        spare: pids whose exit code somebody else will ask for.

    Returns:
        Those that are gone now.
    """
    found = []
    for pid in _children():
        if pid not in spare and _is_container_zombie(pid):
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
            found.append(pid)
    return found
