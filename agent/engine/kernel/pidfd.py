"""Processes that are not ours to wait for: watch their end by descriptor, know them by start time.

A pid alone is reused; pid and start time together name one process until the host reboots.
"""

import asyncio
import os
import signal
from pathlib import Path


def start_ticks(pid: int) -> int:
    """Start time of a process in clock ticks since boot; 0 where it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The command's name is in brackets and may itself hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in {"Z", "X"} else int(fields[19])


def is_alive(pid: int, ticks: int) -> bool:
    """The process that had this pid and start time still runs."""
    return pid > 0 and ticks > 0 and start_ticks(pid) == ticks


def open_process(pid: int, ticks: int = 0) -> int | None:
    """A descriptor of the process, readable once it has ended; None where it is gone or another one by now."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if ticks and start_ticks(pid) not in {0, ticks}:
        os.close(descriptor)
        return None
    return descriptor


def close(descriptor: int) -> None:
    """Let go of a descriptor."""
    os.close(descriptor)


def send(descriptor: int, number: int) -> bool:
    """Signal exactly this process. False where it has ended."""
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    return True


async def ended(descriptor: int) -> None:
    """Wait until the process behind the descriptor has ended. The descriptor stays the caller's."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(descriptor)
        if not future.done():
            future.set_result(None)

    loop.add_reader(descriptor, readable)
    try:
        await future
    finally:
        loop.remove_reader(descriptor)


def reap(pid: int) -> int | None:
    """Take a dead child's status away: its exit code, or 128 and the signal. None where it is no child or still
    runs.
    """
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    if not done:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
