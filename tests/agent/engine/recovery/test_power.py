"""The power is cut at every step: what was there before is there again, whole; what was under way is old or new.

``LONGSHORE_TEST_RECOVERY=all`` cuts at every failpoint, by default at a sample.
"""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from tests.agent.engine.recovery.cast import Victim, failed
from tests.agent.engine.recovery.power import Disk, disk, power_cut, victim_on
from tests.agent.engine.recovery.test_walk import ALL, EVERY, clean, operation_of, registry

__all__ = ["registry"]

SAMPLE = ("pull.placed", "create.saved", "start.created", "remove.begun")


class Grid:
    """A disk and its victim for many cuts; one that has failed takes both along."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._made: tuple[Victim, Disk] | None = None

    @contextlib.contextmanager
    def case(self) -> Iterator[tuple[Victim, Disk]]:
        """Victim and disk of one cut."""
        if self._made is None:
            on = self._open.enter_context(disk())
            self._made = self._open.enter_context(victim_on(on)), on
        try:
            yield self._made
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Take both away."""
        self._made = None
        self._open.close()


@pytest.fixture(scope="module")
def grid() -> Iterator[Grid]:
    one = Grid()
    yield one
    one.close()


@pytest.mark.parametrize(
    ("operation", "name"), [(operation, name) for operation, name in EVERY if ALL or name in SAMPLE]
)
def test_nothing_is_torn(grid: Grid, registry: str, operation: str, name: str) -> None:
    with grid.case() as (one, on):
        wanted = operation_of(operation, registry)
        wanted.before(one.docker)
        one.arm(name, "stop")
        acting = threading.Thread(target=wanted.act, args=(one.docker,))
        acting.start()
        one.stopped()
        assert one.reached()
        power_cut(one, on)
        acting.join()
        one.steady.clear()
        one.start()
        one.check()
        for container in ("steady-one", "steady-two"):
            state = one.docker.inspect(container)["State"]
            assert (state["Status"], state["ExitCode"]) == ("exited", 255)
            one.docker.ok(f"start {container}")
        clean(one, registry)
        wanted.before(one.docker)
        answer = wanted.act(one.docker)
        assert not failed(answer), answer
        clean(one, registry)
        one.settle()
