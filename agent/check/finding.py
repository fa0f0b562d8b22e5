"""One thing that was looked at, and the host that it was looked at on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """What was found."""

    name: str
    ok: bool
    detail: str
    cure: str = ""
    needed: bool = True
    """Nothing works without it; else something is slower, weaker or missing."""


@dataclass(frozen=True)
class Host:
    """Where to look; a test gives folders of its own."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    modules: Path = Path("/lib/modules")
    share: Path = Path("/usr/share")
    path: str = field(default_factory=lambda: os.environ.get("PATH", ""))
    uid: int = field(default_factory=os.geteuid)

    def text(self, path: str) -> str:
        """A file below /proc; empty where there is none."""
        try:
            return (self.proc / path).read_text()
        except OSError:
            return ""

    def run(self, command: Sequence[str], stdin: str = "") -> str | None:
        """Why a command failed, None where it did not."""
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, check=False, timeout=10,
                env={**os.environ, "PATH": self.path},
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it failed"])[-1]
