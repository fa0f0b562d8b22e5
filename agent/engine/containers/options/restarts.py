"""Restart policies: whether, and after how long. Pure.

The wait doubles from 100 ms to a minute with each restart, and begins anew once a run has lasted ten seconds.
"""

from collections.abc import Mapping
from typing import Any

FIRST, FACTOR, LONGEST = 0.1, 2.0, 60.0
GOOD_RUN = 10.0


def wanted(policy: Mapping[str, Any], *, code: int, count: int, by_hand: bool) -> bool:
    """The container is to run again.

    Args:
        policy: ``HostConfig.RestartPolicy``.
        code: exit code of the run that has ended.
        count: restarts until now.
        by_hand: a client stopped or killed it.
    """
    if by_hand:
        return False
    match policy.get("Name"):
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            most = policy.get("MaximumRetryCount") or 0
            return code != 0 and (most == 0 or count < most)
    return False


def delay(last: float | None, lasted: float) -> float:
    """Seconds to wait.

    Args:
        last: the wait before; None for the first.
        lasted: seconds that the run took.
    """
    if last is None or lasted >= GOOD_RUN:
        return FIRST
    return min(last * FACTOR, LONGEST)


def at_engine_start(policy: Mapping[str, Any], *, was_running: bool, by_hand: bool) -> bool:
    """A container that does not run when the engine comes up is to be started.

    ``always`` also where a client had stopped it, as dockerd does; ``unless-stopped`` not.
    """
    match policy.get("Name"):
        case "always":
            return True
        case "unless-stopped":
            return not by_hand
        case "on-failure":
            return was_running
    return False
