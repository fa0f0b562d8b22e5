"""``scripts/down``: stop what ``scripts/up`` started; with ``--purge`` take everything of it away."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.launch import plan as plans
from scripts.launch import supervise
from scripts.launch.hosts import namespace
from scripts.launch.purge import purge_agent
from scripts.launch.refusal import Refusal


def down(data: Path, *, purge: bool) -> None:
    """Stop every process. Containers run on unless ``purge``.

    Args:
        data: the data directory.
        purge: also remove containers, networks, mounts, namespaces, cgroups and the data directory itself.

    Raises:
        Refusal: no installation there, or a process did not end.
    """
    started = time.monotonic()
    plan = plans.load(data)
    if plan is None:
        raise Refusal(f"no installation of scripts/up in {data}; name its folder with --data DIR")
    supervise.stop(plan)
    if purge:
        for state in plan.host_dirs():
            purge_agent(state)
            own = namespace(data, state.name)
            if own.exists():
                subprocess.run(["ip", "netns", "delete", own.name], check=False, capture_output=True)
        shutil.rmtree(data)
    sys.stdout.write(f"Longshore is stopped{' and gone' if purge else ''} ({time.monotonic() - started:.1f} s)\n")
