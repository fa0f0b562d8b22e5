"""How much a container wants eyes: smaller sooner. Pure."""

from controlplane.containers.models import ContainerState as S

ROUTINE = 50
STOPPED_BY_US = frozenset({0, 137, 143})


def rank(
    *, state: str, health: str, exit_code: int | None, oom_killed: bool, restart_count: int, desired_state: str
) -> int:
    """The server's order `attention`; below ROUTINE it belongs to "Needs attention"."""
    if state == S.REMOVED:
        return 99
    if oom_killed and state in {S.EXITED, S.RESTARTING, S.DEAD}:
        return 0
    if state == S.DEAD:
        return 2
    if state == S.CREATION_FAILED:
        return 4
    if state == S.RESTARTING:
        return 6 if restart_count >= 3 else 12
    if health == "unhealthy" and state == S.RUNNING:
        return 8
    if state == S.EXITED and exit_code:
        # A stop that somebody ordered ends with a signal's code; that is no reason to look.
        return 60 if desired_state == S.EXITED and exit_code in STOPPED_BY_US else 10
    if state == S.PAUSED:
        return 52
    return {S.RUNNING: 55, S.CREATING: 54, S.REMOVING: 54, S.CREATED: 58}.get(S(state), 60)
