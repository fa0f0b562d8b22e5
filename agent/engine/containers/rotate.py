"""Keep logs within ``max-size`` and ``max-file``.

conmon itself would cut the log off; so the file is renamed and conmon is told, through its control FIFO, to open a new
one. Docker: the json-file driver's options.
"""

import asyncio
import logging
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.engine.errors import Invalid
from agent.engine.state.records import ContainerRecord

log = logging.getLogger(__name__)

PERIOD = 1.0
UNKEPT = 1 << 20
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_REOPEN = b"2 0 0\n"


def size(text: str) -> int:
    """``10m`` in bytes.

    Raises:
        Invalid: it is no size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgt]?)i?b?", text.strip().lower())
    if found is None:
        raise Invalid(f"invalid size: '{text}'")
    return int(float(found[1]) * _UNITS[found[2]])


def limits(record: ContainerRecord) -> tuple[int, int] | None:
    """Largest size of a log file and how many are kept; None where there is no limit."""
    config = record.host_config.get("LogConfig") or {}
    if config.get("Type") == "none":
        # Nobody may read it back, but who is attached reads it from here.
        return UNKEPT, 1
    options = config.get("Config") or {}
    largest = options.get("max-size", "")
    if not largest or largest == "-1":
        return None
    return size(largest), max(1, int(options.get("max-file", "1") or 1))


def rotate(path: Path, keep: int) -> None:
    """Move every file up by one and drop the oldest; the writer goes on in the renamed file until it is told."""
    numbers = [0]
    while path.with_name(f"{path.name}.{numbers[-1] + 1}").exists():
        numbers.append(numbers[-1] + 1)
    for number in reversed(numbers):
        old = path if number == 0 else path.with_name(f"{path.name}.{number}")
        if number + 1 >= keep and number > 0:
            old.unlink(missing_ok=True)
        else:
            old.rename(path.with_name(f"{path.name}.{number + 1}"))


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


class Rotator:
    """Looks at the logs of running containers every second.

    Args:
        running: the containers that run now.
        control: a container's id → conmon's control FIFO.
    """

    def __init__(self, running: Callable[[], Iterable[ContainerRecord]], control: Callable[[str], Path]) -> None:
        self._running, self._control = running, control

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for record in self._running():
                try:
                    self.look(record)
                except OSError as error:
                    log.warning("log of %s not rotated: %s", record.name, error)
            await asyncio.sleep(PERIOD)

    def look(self, record: ContainerRecord) -> bool:
        """Rotate one container's log if it is due."""
        bounds = limits(record)
        path = Path(record.log_path)
        if bounds is None or not path.exists() or path.stat().st_size < bounds[0]:
            return False
        rotate(path, bounds[1])
        reopen(self._control(record.id))
        if bounds[1] == 1:
            # With a single file there is nothing to keep; readers that have it open still finish it.
            path.with_name(f"{path.name}.1").unlink(missing_ok=True)
        return True
