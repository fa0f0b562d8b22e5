"""Run Django's management commands in the environment that the processes have."""

import os
import subprocess
import sys

from scripts.launch.plan import ROOT, Plan
from scripts.launch.refusal import Refusal


def manage(plan: Plan, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run ``manage.py`` and answer what it printed.

    Args:
        plan: the installation.
        arguments: the command and its arguments.
        env: more for its environment.

    Raises:
        Refusal: the command failed; its last words are in the message.
    """
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=os.environ | plan.environment() | (env or {}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise Refusal(f"manage.py {arguments[0]} failed: {' / '.join(words[-3:])}")
    return done.stdout
