"""Keep logs within the bounds of their drivers' options.

conmon itself would cut the log off; so the file is renamed and conmon is told, through its control FIFO, to open a new
one. Renamed files are packed a second later, when conmon has surely left them.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.engine.containers import logfiles
from agent.engine.containers.gaps import Gaps
from agent.engine.containers.logdrivers import options
from agent.engine.containers.logs import apart
from agent.engine.errors import EngineError
from agent.engine.state.records import ContainerRecord

log = logging.getLogger(__name__)

PERIOD = 1.0
_REOPEN = b"2 0 0\n"


def rotate(path: Path, keep: int) -> None:
    """Move every file up by one and drop the oldest; the writer goes on in the renamed file until it is told."""
    for file in reversed(logfiles.found(path)):
        if file.number + 1 >= keep and file.number > 0:
            file.path.unlink(missing_ok=True)
        else:
            file.path.rename(path.with_name(f"{path.name}.{file.number + 1}{'.gz' if file.packed else ''}"))


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
        if path.stat().st_size < bounds.size:
            return False
        rotate(path, bounds.files)
        reopen(self._control(record.id))
        if bounds.files == 1:
            # With a single file there is nothing to keep; readers that have it open still finish it.
            path.with_name(f"{path.name}.1").unlink(missing_ok=True)
        return True
