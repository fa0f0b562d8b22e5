"""Who waits for what of a container. ``docker run`` registers here before it starts the container.

``not-running``: the end of the current run, at once if nothing runs. ``next-exit``: the next end of a run that is to
come or is on. ``removed``: the record is gone.
"""

import asyncio
from dataclasses import dataclass

NOT_RUNNING, NEXT_EXIT, REMOVED = "not-running", "next-exit", "removed"


@dataclass(frozen=True, slots=True)
class Ended:
    """How the wait ended."""

    code: int
    error: str = ""


class Waits:
    """Futures by container and condition."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[str, asyncio.Future[Ended]]]] = {}

    def register(self, container_id: str, condition: str) -> "asyncio.Future[Ended]":
        """Wait from now on. Cancelling the future ends the wait."""
        future: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(container_id, []).append((condition, future))
        future.add_done_callback(lambda _: self._forget(container_id, future))
        return future

    def exited(self, container_id: str, ended: Ended) -> None:
        """A run has ended."""
        self._settle(container_id, {NOT_RUNNING, NEXT_EXIT}, ended)

    def removed(self, container_id: str, ended: Ended) -> None:
        """The container is gone: every wait ends."""
        self._settle(container_id, {NOT_RUNNING, NEXT_EXIT, REMOVED}, ended)

    def _settle(self, container_id: str, conditions: set[str], ended: Ended) -> None:
        for condition, future in tuple(self._waiting.get(container_id, ())):
            if condition in conditions and not future.done():
                future.set_result(ended)

    def _forget(self, container_id: str, future: "asyncio.Future[Ended]") -> None:
        kept = [entry for entry in self._waiting.get(container_id, ()) if entry[1] is not future]
        if kept:
            self._waiting[container_id] = kept
        else:
            self._waiting.pop(container_id, None)
