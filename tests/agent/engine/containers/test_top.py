"""Processes as ps shows them."""

import os

import pytest

from agent.engine.containers import top
from agent.engine.errors import Conflict, System
from agent.engine.kernel import cgroups
from agent.engine.state.records import ContainerRecord, State, Status


def record(status: Status = Status.RUNNING) -> ContainerRecord:
    return ContainerRecord(
        id="a" * 64, name="a", created_ns=1, path="sh", args=(), config={}, host_config={}, image_id="", image_ref="",
        state=State(status=status, pid=os.getpid()),
    )  # fmt: skip


def test_only_the_container_s_own_lines() -> None:
    found = top.select("UID PID CMD\nroot 1 init x\nroot 22 sleep 60\n", {22})
    assert found == {"Titles": ["UID", "PID", "CMD"], "Processes": [["root", "22", "sleep 60"]]}


async def test_default_and_own_columns() -> None:
    found = await top.top(cgroups.detect(), record(), "")
    assert found["Titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    found = await top.top(cgroups.detect(), record(), "-o pid,args")
    assert found["Titles"] == ["PID", "COMMAND"]
    assert str(os.getpid()) in [row[0] for row in found["Processes"]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("-o foo", "unknown user-defined format"),
        ("-o args", "Couldn't find PID field"),
        ("-o pid=PID,x", "not allowed"),
    ],
)
async def test_refused_arguments(arguments: str, words: str) -> None:
    with pytest.raises(System, match=words):
        await top.top(cgroups.detect(), record(), arguments)


async def test_what_does_not_run() -> None:
    with pytest.raises(Conflict, match=f"Container {'a' * 64} is not running"):
        await top.top(cgroups.detect(), record(Status.EXITED), "")
