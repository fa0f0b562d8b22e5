"""Mark where a log has a gap because the disk was full.

conmon goes on without a word when it cannot write. What can be seen from outside is that it reads more than its file
grows by, or that the file ends within a record, while the disk has no room. Once it has some, a line of ours says so in
the log, and an event tells it.
"""

import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from agent.engine.state.records import ContainerRecord
from agent.streams import ctrlog

LOW = 1 << 20
"""Bytes left below which the disk counts as full."""


@dataclass(slots=True)
class _Seen:
    """A log when the disk was first seen full."""

    at_ns: int
    read: int
    size: int
    cut: bool = False


def is_torn(path: Path) -> bool:
    """The file's last record has no end."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            return end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"
    except FileNotFoundError:
        return False


def marker(begin_ns: int, end_ns: int) -> bytes:
    """The line that stands in the log, as conmon would write it. The torn record before it is ended first."""
    begin, end = ctrlog.stamp(begin_ns)[:19].decode(), ctrlog.stamp(end_ns)[:19].decode()
    text = f"longshore: lines are missing here: the disk was full from {begin}Z to {end}Z"
    return b"\n" + ctrlog.stamp(end_ns) + ctrlog.UTC_ZONE + b" stderr F " + text.encode() + b"\n"


class Gaps:
    """Looks at the logs of running containers while the disk is full.

    Args:
        root: a place on that disk.
        tell: is told a container, and the two times between which lines are missing.
        read_by: how many bytes a conmon, by pid, has read.
    """

    def __init__(
        self,
        root: Path,
        tell: Callable[[ContainerRecord, int, int], None],
        read_by: Callable[[int], int] | None = None,
    ) -> None:
        self._root, self._tell, self._read_by = root, tell, read_by or bytes_read
        self._seen: dict[str, _Seen] = {}

    def look(self, running: Iterable[ContainerRecord]) -> None:
        """Note the logs that are cut, and mark those that were once there is room."""
        room = os.statvfs(self._root)
        low = room.f_bavail * room.f_frsize < LOW
        if not (low or self._seen):
            return
        now = time.time_ns()
        for record in running:
            seen = self._look_at(record, now, low=low)
            if not low and seen is not None and seen.cut and _append(Path(record.log_path), marker(seen.at_ns, now)):
                self._tell(record, seen.at_ns, now)
        if not low:
            self._seen.clear()

    def _look_at(self, record: ContainerRecord, now: int, *, low: bool) -> _Seen | None:
        path = Path(record.log_path)
        read, size = self._read_by(record.state.conmon_pid), path.stat().st_size if path.exists() else 0
        seen = self._seen.get(record.id)
        if seen is None:
            if low:
                self._seen[record.id] = _Seen(now, read, size, is_torn(path))
            return None
        if size < seen.size:
            seen.read, seen.size = read, size  # rotated
        # A record is longer than what was read for it, so the file grows faster where nothing is lost.
        seen.cut = seen.cut or read - seen.read > size - seen.size or (low and is_torn(path))
        return seen


def bytes_read(pid: int) -> int:
    """What a process has read since it began; 0 where it is gone."""
    try:
        found = re.match(r"rchar: (\d+)", Path(f"/proc/{pid}/io").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _append(path: Path, line: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return os.write(descriptor, line) == len(line)
    finally:
        os.close(descriptor)
