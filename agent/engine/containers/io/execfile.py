"""What is kept on disk of a detached exec while it runs, so that an engine that comes back knows it again.

``RUN/execs/<exec>/exec.json``; gone after a reboot, as is the process.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.engine.kernel import files
from agent.engine.runtime.base import Processes

NAME = "exec.json"


def write(directory: Path, fields: dict[str, Any], processes: Processes) -> None:
    """Keep an exec's fields and its processes."""
    pids = [processes.pid, processes.ticks, processes.conmon_pid, processes.conmon_ticks]
    files.write(directory / NAME, json.dumps({"fields": fields, "processes": pids}).encode())


def kept(directory: Path) -> set[str]:
    """Names of the folders of execs that were kept."""
    return {entry.name for entry in directory.iterdir() if (entry / NAME).exists()} if directory.exists() else set()


def read_all(directory: Path) -> Iterator[tuple[Path, dict[str, Any], Processes]]:
    """Every exec that was kept; the folders of others, whose client and engine are gone, are removed."""
    for entry in sorted(directory.iterdir()) if directory.exists() else ():
        try:
            found = json.loads((entry / NAME).read_bytes())
            yield entry, found["fields"], Processes(*found["processes"])
        except (OSError, ValueError, KeyError, TypeError):
            files.remove_tree(entry)
