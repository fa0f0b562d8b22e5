"""The processes of a container, as the host's ps shows them. Docker Engine API: ContainerTop."""

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

from agent.engine.containers.stats import groups
from agent.engine.errors import Conflict, System
from agent.engine.kernel.cgroups import Hierarchy
from agent.engine.state.records import ContainerRecord, Status

DEADLINE = 20.0
# ``-o pid=PID`` and the like would rename the one column that tells whose a line is.
_RENAMED_PID = re.compile(r"\s+(?:\w+,)*(?:pid|PID)=")


def check(record: ContainerRecord) -> None:
    """Refuse a container without processes.

    Raises:
        Conflict: it does not run, or is between two restarts.
    """
    if record.state.status is Status.RESTARTING:
        raise Conflict(f"Container {record.id} is restarting, wait until the container is running")
    if not record.state.alive:
        raise Conflict(f"Container {record.id} is not running")


def pids(hierarchy: Hierarchy, pid: int) -> set[int]:
    """All processes in the group of ``pid`` and in groups below. Blocks."""
    mine = groups(Path(f"/proc/{pid}/cgroup").read_text())
    controller = "" if hierarchy.version == 2 else "pids" if "pids" in mine else "memory"
    directory = hierarchy.directory(mine.get(controller, "/"), controller)
    found: set[int] = set()
    if directory is not None:
        for file in (directory / "cgroup.procs", *directory.glob("**/cgroup.procs")):
            found.update(int(line) for line in file.read_text().split())
    return found


def select(output: str, wanted: set[int]) -> dict[str, Any]:
    """Docker's answer from what ps printed.

    Raises:
        System: there is no column PID.
    """
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise System("Couldn't find PID field in ps output")
    at = titles.index("PID")
    rows = []
    for line in lines[1:]:
        fields = line.split(None, len(titles) - 1)
        if len(fields) > at and fields[at].isdigit() and int(fields[at]) in wanted:
            rows.append(fields + [""] * (len(titles) - len(fields)))
    return {"Processes": rows, "Titles": titles}


async def top(hierarchy: Hierarchy, record: ContainerRecord, arguments: str) -> dict[str, Any]:
    """The container's processes.

    Args:
        hierarchy: the host's cgroups.
        record: whose.
        arguments: for ps; empty: ``-ef``.

    Raises:
        Conflict: the container does not run.
        System: ps refused its arguments.
    """
    check(record)
    if _RENAMED_PID.search(f" {arguments}"):
        raise System('specifying "pid=" in ps args is not allowed')
    try:
        wanted = await asyncio.to_thread(pids, hierarchy, record.state.pid)
        child = await asyncio.create_subprocess_exec(
            "ps",
            *(arguments or "-ef").split(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise System(f"ps is not installed on this host, or the container has ended: {error}") from error
    try:
        out, err = await asyncio.wait_for(child.communicate(), DEADLINE)
    except TimeoutError as error:
        child.kill()
        await child.wait()
        raise System("ps did not answer") from error
    if child.returncode:
        first = err.decode(errors="replace").strip().splitlines()
        raise System(f"ps: {first[0]}" if first else f"ps: exit status {child.returncode}")
    return select(out.decode(errors="replace"), wanted)
