"""Fail at every step of every operation: afterwards things are whole, or not there at all, and can be done again.

``LONGSHORE_TEST_RECOVERY=all`` walks every failpoint with every action; by default a sample is walked.
"""

import asyncio
import contextlib
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.kernel.failpoints import NAMES, Action
from tests.agent.engine.images.archives import entry, tar
from tests.agent.engine.images.fake_registry import fake_registry
from tests.agent.engine.recovery.cast import Victim, failed, send, soon, victim
from tests.agent.engine.recovery.operations import OPERATIONS, Operation, nothing, take_away

ALL = os.environ.get("LONGSHORE_TEST_RECOVERY") == "all"
EVERY = [(operation, name) for operation, names in NAMES.items() for name in names]
CASES = [(operation, name, action) for operation, name in EVERY for action in ("kill", "nospace", "error")]
SAMPLE = [
    *CASES[::16],
    *(("start", name, "kill") for name in ("start.forked", "start.running")),
    ("remove", "remove.begun", "kill"),
]
LAYERS = tar(entry("one", os.urandom(3_000_000))), tar(entry("two", os.urandom(100_000)))


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """The name of an image of two layers in a registry on loopback."""
    loop, ready, address = asyncio.new_event_loop(), threading.Event(), []

    async def serve() -> None:
        async with fake_registry() as fake:
            fake.image(*LAYERS)
            address.append(fake.address)
            ready.set()
            await over.wait()

    over = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield f"{address[0]}/app"
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


class Walk:
    """One victim for many cases; a case that has failed takes it along."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._one: Victim | None = None
        self.slowest = 0.0

    @contextlib.contextmanager
    def case(self) -> Iterator[Victim]:
        """The victim of one case."""
        if self._one is None:
            self._one = self._open.enter_context(victim())
        try:
            yield self._one
        except BaseException:
            self.close()
            raise
        self.slowest = max(self.slowest, self._one.slowest)

    def close(self) -> None:
        """Take the victim away."""
        self._one = None
        self._open.close()


@pytest.fixture(scope="module")
def walk() -> Iterator[Walk]:
    one = Walk()
    yield one
    one.close()
    print(f"recovery: slowest start of the engine {one.slowest:.2f} s")


def operation_of(name: str, registry: str) -> Operation:
    if name == "pull":
        return Operation(nothing, lambda docker: send(docker, "POST", f"/images/create?fromImage={registry}&tag=1"))
    return OPERATIONS[name]


def clean(one: Victim, registry: str) -> None:
    take_away(one.docker)
    assert send(one.docker, "DELETE", f"/images/{registry}:1")[0] in {200, 404}


@pytest.mark.parametrize(
    ("operation", "name", "action"), CASES if ALL else list(dict.fromkeys(SAMPLE)), ids=lambda word: str(word)
)
def test_whole_or_not_there(walk: Walk, registry: str, operation: str, name: str, action: str) -> None:
    with walk.case() as one:
        fail(one, registry, operation, name, action)


def fail(walked: Victim, registry: str, operation: str, name: str, action: str) -> None:
    """Fail once on the way, look, and do it again."""
    wanted = operation_of(operation, registry)
    wanted.before(walked.docker)
    walked.arm(name, action)
    answer = wanted.act(walked.docker)
    assert soon(walked.reached), f"{name} was never reached: {answer}"
    if action == Action.KILL:
        walked.died()
        walked.start()
    elif action == Action.NOSPACE and failed(answer):
        assert "no space left" in answer[1].lower(), answer
    walked.check()
    clean(walked, registry)
    wanted.before(walked.docker)
    again = wanted.act(walked.docker)
    assert not failed(again), again
    clean(walked, registry)
    walked.settle()


def test_an_end_is_told_once(walk: Walk) -> None:
    with walk.case() as one:
        docker, since = one.docker, time.time() - 1
        OPERATIONS["stop"].before(docker)
        container_id = docker.inspect("aa")["Id"]
        one.arm("exit.told", Action.KILL)
        OPERATIONS["stop"].act(docker)
        one.died()
        one.start()
        one.check()
        span = f"--since {since:.0f} --until {time.time() + 1:.0f} --filter container={container_id}"
        assert len(docker.ok(f"events {span} --filter event=die").splitlines()) == 1
        take_away(docker)


@pytest.mark.parametrize(("name", "detach"), [("exec.spawned", False), ("exec.conmon", True)])
def test_an_exec_that_nobody_knows_is_ended(walk: Walk, name: str, *, detach: bool) -> None:
    with walk.case() as one:
        seconds = str(random.randrange(10_000, 90_000))
        code, made = send(one.docker, "POST", "/containers/steady-one/exec", {"Cmd": ["sleep", seconds]})
        assert code == 201
        one.arm(name, Action.KILL)
        send(one.docker, "POST", f"/exec/{json.loads(made)['Id']}/start", {"Detach": detach})
        one.died()
        one.start()
        soon(lambda: not running("sleep", seconds))
        one.check()


def running(*command: str) -> bool:
    """A process of this command line is there."""
    wanted = "".join(f"{word}\0" for word in command)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if (process / "cmdline").read_text() == wanted:
                return True
    return False


def test_every_action_is_walked() -> None:
    assert set(OPERATIONS) | {"pull"} == set(NAMES)
    assert len({name for _, name in EVERY}) == len(EVERY)
    assert {action for _, _, action in SAMPLE} == {"kill", "nospace", "error"}
    assert len(list(itertools.chain(*NAMES.values()))) > 60
