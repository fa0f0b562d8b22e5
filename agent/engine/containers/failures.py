"""The runtime's refusals in the words that Docker's clients know. Pure.

``docker run`` takes its exit code from these words: 127 for "not found", 126 for "permission denied", else 125.
"""

from dataclasses import dataclass

from agent.engine.errors import EngineError, Invalid, System
from agent.engine.runtime.base import RuntimeRefused

_PREFIX = "failed to create shim task: OCI runtime create failed: {runtime} create failed: "


@dataclass(frozen=True, slots=True)
class Failure:
    """What the client reads, and what the record keeps."""

    error: EngineError
    code: int


def translated(error: EngineError, program: str, runtime: str) -> Failure:
    """A failed start as dockerd would tell it."""
    if not isinstance(error, RuntimeRefused):
        return Failure(error, 128)
    words = str(error)
    low = words.lower()
    prefix = _PREFIX.format(runtime=runtime) + "unable to start container process: "
    if ("executable file" in low and "not found" in low) or "open executable: no such" in low:
        what = f"stat {program}: no such file or directory" if "/" in program else "executable file not found in $PATH"
        return Failure(Invalid(f'{prefix}exec: "{program}": {what}: unknown'), 127)
    if "open executable" in low or ("exec" in low and "permission denied" in low):
        return Failure(Invalid(f'{prefix}exec: "{program}": permission denied: unknown'), 126)
    if "not a directory" in low or "no such file or directory" in low:
        return Failure(Invalid(f"{_PREFIX.format(runtime=runtime)}{words}: unknown"), 127)
    return Failure(System(f"{_PREFIX.format(runtime=runtime)}{words}: unknown"), 128)
