"""An order's lines as layers of a pull or push, and as steps of a build; values to values."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Protocol

_STEP: Final = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_PHASES: Final = {
    "Pulling fs layer": "waiting",
    "Waiting": "waiting",
    "Preparing": "waiting",
    "Downloading": "downloading",
    "Pushing": "uploading",
    "Verifying Checksum": "verifying",
    "Download complete": "verifying",
    "Extracting": "unpacking",
    "Pull complete": "done",
    "Pushed": "done",
    "Already exists": "exists",
    "Layer already exists": "exists",
}


class Line(Protocol):
    """What is looked at of a line."""

    at: datetime
    step: str
    text: str
    data: dict[str, Any] | None


def layers_of(lines: Iterable[Line], layers: dict[str, dict[str, Any]]) -> bool:
    """Bring `layers` up to date by some lines; whether any changed."""
    changed = False
    for line in lines:
        data = line.data or {}
        phase = _PHASES.get(str(data.get("status") or "").split(" from ", maxsplit=1)[0])
        if not line.step or phase is None:
            continue
        detail = data.get("progressDetail") or {}
        layer = layers.setdefault(line.step, {"id": line.step, "phase": phase, "current": 0, "total": 0})
        layer["phase"] = phase
        if detail.get("total"):
            layer |= {"current": int(detail.get("current") or 0), "total": int(detail["total"])}
        elif phase in {"done", "exists"}:
            layer["current"] = layer["total"]
        changed = True
    return changed


def steps_of(lines: Iterable[Line], steps: dict[int, dict[str, Any]]) -> bool:
    """Bring `steps` up to date by some lines; whether any changed."""
    changed = False
    for line in lines:
        if found := _STEP.match(line.text):
            n = int(found[1])
            _finish(steps, line.at, "done")
            steps[n] = {
                "n": n,
                "of": int(found[2]),
                "name": found[3].strip(),
                "state": "running",
                "cached": False,
                "ms": 0,
                "began": line.at.isoformat(),
            }
            changed = True
        elif steps and "Using cache" in line.text:
            steps[max(steps)]["cached"] = True
            changed = True
        elif steps and line.text.startswith("Successfully built"):
            _finish(steps, line.at, "done")
            changed = True
        elif steps and line.data and "error" in line.data:
            _finish(steps, line.at, "failed")
            changed = True
    return changed


def _finish(steps: dict[int, dict[str, Any]], at: datetime, state: str) -> None:
    if not steps:
        return
    step = steps[max(steps)]
    if step["state"] == "running":
        step["state"] = state
        step["ms"] = max(0, int((at - datetime.fromisoformat(step["began"])).total_seconds() * 1000))
