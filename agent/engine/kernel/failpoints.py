"""Places where a test makes the engine fail, to see that nothing is left half done.

``LONGSHORE_FAILPOINT`` is ``start.created``, which kills the process (SIGKILL) when it comes by that name, or
``start.created=ACTION`` with an action of ``Action``; or the path of a file that holds such a word and is read at each
place, so that a test arms a running engine. A failpoint fires once: the file is removed. Unarmed, a call costs one
comparison.
"""

import enum
import errno
import os
import signal
from pathlib import Path

NAMES: dict[str, tuple[str, ...]] = {
    "pull": (
        "pull.manifest", "pull.begun", "pull.half", "pull.received", "pull.verified", "pull.unpacked", "pull.placed",
        "pull.layer", "pull.named",
    ),
    "create": ("create.begun", "create.layer", "create.volumes", "create.saved"),
    "start": (
        "start.begun", "start.mounted", "start.addressed", "start.bound", "start.guarded", "start.namespace",
        "start.linked", "start.published", "start.attached", "start.filled", "start.forked", "start.created",
        "start.running", "start.saved",
    ),
    "exec": ("exec.prepared", "exec.spawned", "exec.ended"),
    "exec detached": ("exec.conmon", "exec.kept"),
    "stop": ("stop.signalled", "exit.told", "exit.released", "exit.saved"),
    "clean": ("clean.runtime", "clean.groups", "clean.unmounted"),
    "pause": ("pause.frozen",),
    "unpause": ("unpause.thawed",),
    "kill": ("kill.signalled",),
    "remove": ("remove.begun", "remove.cleaned", "remove.thrown", "remove.files", "remove.cleared"),
    "network create": ("network.saved", "network.linked", "network.ruled"),
    "network connect": ("connect.plugged", "connect.saved"),
    "network disconnect": ("disconnect.unplugged",),
    "network remove": ("network.unruled", "network.unlinked", "network.forgotten"),
    "volume create": ("volume.made", "volume.saved"),
    "volume remove": ("volume.removed", "volume.forgotten"),
    "build": ("build.opened", "build.written", "build.layer", "build.ran", "build.named"),
    "commit": ("commit.copied", "commit.layer", "commit.named"),
    "copy": ("copy.mounted", "copy.unpacked"),
}  # fmt: skip
"""Every place, by the operation that comes by it."""


class Action(enum.StrEnum):
    """What happens at an armed place."""

    KILL = "kill"
    """SIGKILL."""
    STOP = "stop"
    """SIGSTOP: the test looks at the disk as it is now, as a power cut would leave it."""
    NOSPACE = "nospace"
    """The disk is full."""
    ERROR = "error"
    """An exception that nobody foresaw."""


_armed = os.environ.get("LONGSHORE_FAILPOINT", "")


def failpoint(name: str) -> None:
    """Fail here, if a test wants it.

    Raises:
        OSError: ENOSPC, if that is wanted.
        RuntimeError: if that is.
    """
    if _armed:
        _reached(name)


def _reached(name: str) -> None:
    global _armed  # noqa: PLW0603 (armed once a process, disarmed by firing)
    word = _armed
    if word.startswith("/"):
        try:
            word = Path(_armed).read_text()
        except FileNotFoundError:
            return
    wanted, _, action = word.partition("=")
    if wanted != name:
        return
    if _armed.startswith("/"):
        Path(_armed).unlink(missing_ok=True)
    else:
        _armed = ""
    match Action(action or "kill"):
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.STOP:
            os.kill(os.getpid(), signal.SIGSTOP)
        case Action.NOSPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        case Action.ERROR:
            raise RuntimeError(f"failpoint {name}")
