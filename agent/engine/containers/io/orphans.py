"""Processes of execs that nobody can know again: attached to an engine that is gone, or detached and not on record.

They are found by their runtime or conmon, whose command line names the exec's folder, and ended with all below them.
"""

import os
import signal
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


def _children(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            yield from (int(child) for child in thread.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue


def end(pid: int) -> None:
    """Kill a process and all below it, from the bottom: while its parent lives a pid is nobody else's."""
    for child in list(_children(pid)):
        end(child)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def ended_with_us(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """End the process where the block fails: its pipes are let go of, and nobody would know of it any more."""
    try:
        yield
    except BaseException:
        if process.returncode is None:
            end(process.pid)
            process.wait()
        raise


def end_all(directory: Path, spare: Collection[str]) -> None:
    """Kill what runs for the folders in ``directory`` but those named in ``spare``."""
    if not directory.exists() or {entry.name for entry in directory.iterdir()} <= set(spare):
        return
    mark = f"{directory}/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for argument in command.split(b"\0"):
            if argument.startswith(mark):
                if argument[len(mark) :].partition(b"/")[0].decode() not in spare:
                    end(int(process.name))
                break
