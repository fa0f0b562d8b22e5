"""Places where a test makes the engine die, to see that nothing is left half done.

``LONGSHORE_FAILPOINT=start.created`` kills the process (SIGKILL) when it comes by that name. Unarmed, a call costs one
comparison.
"""

import os
import signal

NAMES = (
    "create.begun", "create.layer", "create.saved",
    "start.begun", "start.attached", "start.created", "start.running", "start.saved",
    "exit.told", "exit.saved",
    "stop.signalled",
    "remove.begun", "remove.cleared",
)  # fmt: skip
"""Every place, in the order of a container's life."""

_armed = os.environ.get("LONGSHORE_FAILPOINT", "")


def failpoint(name: str) -> None:
    """Die here, if a test wants it."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
