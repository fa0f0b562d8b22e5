"""Keep logs within the bounds of their drivers' options.

conmon itself would cut the log off; so the file is renamed and conmon is told, through its control FIFO, to open a new
one. Renamed files are packed a second later, when conmon has surely left them.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.engine.containers.logs import files as logfiles
from agent.engine.containers.logs.drivers import options
from agent.engine.containers.logs.gaps import Gaps
from agent.engine.containers.logs.reader import apart
from agent.engine.errors import EngineError
from agent.engine.state.records import ContainerRecord

log = logging.getLogger(__name__)

PERIOD = 1.0
SPARE = 64 << 20
"""Bytes that a log may have beyond its bounds, for readers that have not come so far."""
_REOPEN = b"2 0 0\n"


def rotate(path: Path) -> None:
    """Move every file up by one; the writer goes on in the renamed file until it is told."""
    for file in reversed(logfiles.found(path)):
        file.path.rename(path.with_name(f"{path.name}.{file.number + 1}{'.gz' if file.packed else ''}"))


def trim(path: Path, keep: int) -> None:
    """Drop the oldest files, down to so many. Who still reads an older one is not robbed of what follows it, unless
    that has become too much.
    """
    files = logfiles.found(path)
    spare = [file for file in reversed(files) if file.number >= keep]
    size = sum(file.path.stat().st_size for file in spare)
    for file in spare:
        if size <= SPARE and logfiles.is_wanted(path, file, files):
            return
        size -= file.path.stat().st_size
        file.path.unlink()


def reopen(control: Path) -> None:
    """Tell conmon to open its log anew.

    Raises:
        OSError: nobody reads the FIFO.
    """
    descriptor = os.open(control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(descriptor, _REOPEN)
    finally:
        os.close(descriptor)


def pack(path: Path) -> None:
    """Pack the renamed files. Blocks; the writer must have left them."""
    for file in logfiles.found(path):
        if file.number and not file.packed:
            logfiles.pack(file)


class Rotator:
    """Looks at the logs of running containers every second.

    Args:
        running: the containers that run now.
        control: a container's id → conmon's control FIFO.
        gaps: marks what a full disk has cost.
    """

    def __init__(
        self,
        running: Callable[[], Iterable[ContainerRecord]],
        control: Callable[[str], Path],
        gaps: Gaps | None = None,
    ) -> None:
        self._running, self._control, self._gaps = running, control, gaps

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for record in self._running():
                try:
                    await self.look(record)
                except (OSError, EngineError) as error:
                    log.warning("log of %s not rotated: %s", record.name, error)
            try:
                if self._gaps is not None:
                    self._gaps.look(self._running())
            except OSError as error:
                log.warning("gaps of logs not marked: %s", error)
            await asyncio.sleep(PERIOD)

    async def look(self, record: ContainerRecord) -> bool:
        """Rotate one container's log if it is due, and pack what the last rotation left."""
        bounds = options.bounds(record)
        path = Path(record.log_path)
        if not bounds.size or not path.exists():
            return False
        if bounds.compress and path.with_name(f"{path.name}.1").exists():
            await apart(lambda: pack(path))
        if any(path.with_name(f"{path.name}.{bounds.files}{end}").exists() for end in ("", ".gz")):
            trim(path, bounds.files)
        if path.stat().st_size < bounds.size:
            return False
        rotate(path)
        reopen(self._control(record.id))
        trim(path, bounds.files)
        return True
