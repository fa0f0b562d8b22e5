"""Ask a container's own check, again and again, whether it is healthy.

The state machine, in ``judged``: starting → healthy at the first success; starting or healthy → unhealthy after so many
failures in a row, where failures within the start period do not count; unhealthy → healthy at a success. Docker:
HEALTHCHECK; moby ``daemon/health.go``.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agent.engine.containers.io.exec import Exec
from agent.engine.errors import EngineError
from agent.engine.events import EventBus, Lagging
from agent.engine.state.records import ContainerRecord, Health, HealthResult, Status

log = logging.getLogger(__name__)

SECOND = 1_000_000_000
OUTPUT = 4096
KEPT = 5
STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"


@dataclass(frozen=True, slots=True)
class Check:
    """A health check with its defaults filled in; times in seconds."""

    argv: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    start_interval: float = 5.0
    retries: int = 3


def check_of(config: Mapping[str, Any]) -> Check | None:
    """The check of a container's ``Config``; None where it has none, or NONE."""
    given = config.get("Healthcheck") or {}
    test = given.get("Test") or []
    if not test or test[0] == "NONE" or (len(test) == 1 and test[0] in {"CMD", "CMD-SHELL"}):
        return None
    if test[0] == "CMD-SHELL":
        shell = tuple(config.get("Shell") or ("/bin/sh", "-c"))
        argv = (*shell, test[1])
    else:
        argv = tuple(test[1:] if test[0] == "CMD" else test)

    def seconds(key: str, default: float) -> float:
        return (given.get(key) or 0) / SECOND or default

    return Check(
        argv,
        seconds("Interval", 30.0),
        seconds("Timeout", 30.0),
        seconds("StartPeriod", 0.0),
        seconds("StartInterval", 5.0),
        int(given.get("Retries") or 3),
    )


def judged(health: Health, result: HealthResult, check: Check, *, starting: bool) -> Health:
    """The health after one more result.

    Args:
        health: until now.
        result: of the run that has just ended.
        check: its limits.
        starting: the start period is not over.
    """
    kept = (*health.log, result)[-KEPT:]
    if result.exit_code == 0:
        return Health(HEALTHY, 0, kept)
    if starting and health.status == STARTING:
        return Health(STARTING, health.failing_streak, kept)
    streak = health.failing_streak + 1
    return Health(UNHEALTHY if streak >= check.retries else health.status, streak, kept)


class Save(Protocol):
    """Stores a container's record."""

    def __call__(self, record: ContainerRecord, /) -> Awaitable[Any]: ...


class Run(Protocol):
    """Runs a command in a container with this client at its output."""

    def create(self, record: ContainerRecord, wanted: Exec) -> Exec: ...
    async def run(self, exec_: Exec, client: "Capture") -> None: ...
    def kill(self, exec_: Exec) -> None: ...
    def drop(self, exec_: Exec) -> None: ...


class Capture:
    """Keeps the first part of a check's output."""

    def __init__(self) -> None:
        self.data = b""

    async def read(self) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        self.data += data[: max(0, OUTPUT - len(self.data))]


class HealthMonitor:
    """One task a container with a check, from its start to its end.

    Args:
        events: tells of starts and ends, and is told ``health_status: …``.
        find: a container's newest record.
        save: stores a record.
        execs: runs the check.
    """

    def __init__(self, events: EventBus, find: Callable[[str], ContainerRecord | None], save: Save, execs: Run) -> None:
        self._events, self._find, self._save, self._execs = events, find, save, execs
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self, running: Iterable[ContainerRecord]) -> None:
        """Watch until cancelled.

        Args:
            running: containers that run already.
        """
        try:
            known = list(running)
            while True:
                with self._events.subscribe() as events:
                    for one in known:
                        self._begin(one.id)
                    try:
                        async for event in events:
                            self._heard(event)
                        return
                    except Lagging:
                        known = [record for id_ in self._tasks if (record := self._find(id_))]
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _heard(self, event: Mapping[str, Any]) -> None:
        if event["Type"] != "container":
            return
        container_id, action = event["Actor"]["ID"], event["Action"]
        if action == "start":
            self._begin(container_id, fresh=True)
        elif action in {"die", "destroy"} and (task := self._tasks.pop(container_id, None)):
            task.cancel()

    def _begin(self, container_id: str, *, fresh: bool = False) -> None:
        record = self._find(container_id)
        check = check_of(record.config) if record else None
        if check is None:
            return
        if old := self._tasks.get(container_id):
            old.cancel()
        task = asyncio.create_task(self._watch(container_id, check, fresh=fresh), name=f"health of {container_id[:12]}")
        self._tasks[container_id] = task
        task.add_done_callback(lambda done: self._forget(container_id, done))

    def _forget(self, container_id: str, task: "asyncio.Task[None]") -> None:
        if self._tasks.get(container_id) is task:
            del self._tasks[container_id]
        if not task.cancelled() and (error := task.exception()):
            log.error("health check of %s ended", container_id[:12], exc_info=error)

    async def _watch(self, container_id: str, check: Check, *, fresh: bool) -> None:
        begun = time.monotonic()
        record = self._find(container_id)
        if fresh and record is not None and record.state.health != Health(STARTING):
            await self._save(record.with_state(health=Health(STARTING)))
        while True:
            record = self._find(container_id)
            if record is None:
                return
            starting = time.monotonic() - begun < check.start_period
            health = record.state.health or Health(STARTING)
            pause = check.start_interval if starting and health.status == STARTING else check.interval
            await asyncio.sleep(min(pause, check.interval))
            record = self._find(container_id)
            if record is None or not record.state.alive:
                return
            if record.state.status is Status.PAUSED:
                continue
            result = await self._probe(record, check)
            starting = time.monotonic() - begun < check.start_period
            await self._store(container_id, result, check, starting=starting)

    async def _probe(self, record: ContainerRecord, check: Check) -> HealthResult:
        begun, capture = time.time_ns(), Capture()
        try:
            exec_ = self._execs.create(record, Exec("", "", check.argv, stdout=True, stderr=True, raw=True))
        except EngineError as error:
            return HealthResult(begun, time.time_ns(), -1, str(error))
        try:
            await asyncio.wait_for(self._execs.run(exec_, capture), check.timeout)
        except TimeoutError:
            self._execs.kill(exec_)
            words = f"Health check exceeded timeout ({_duration(check.timeout)})"
            return HealthResult(begun, time.time_ns(), -1, words)
        finally:
            self._execs.drop(exec_)
        code = exec_.exit_code if exec_.exit_code is not None else -1
        return HealthResult(begun, time.time_ns(), code, capture.data.decode(errors="replace"))

    async def _store(self, container_id: str, result: HealthResult, check: Check, *, starting: bool) -> None:
        record = self._find(container_id)
        if record is None or not record.state.alive:
            return
        old = record.state.health or Health(STARTING)
        new = judged(old, result, check, starting=starting)
        await self._save(record.with_state(health=new))
        if new.status != old.status:
            self._events.publish("container", f"health_status: {new.status}", container_id, record.event_attributes())


def _duration(seconds: float) -> str:
    """Seconds as Go prints a duration: ``1m30s``, ``300ms``."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest:g}s"
    if hours:
        return f"{hours:g}h{minutes:g}m{text}"
    return f"{minutes:g}m{text}" if minutes else text
