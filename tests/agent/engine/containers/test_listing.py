"""Filters of the container list, and the shapes of rows and inspections."""

from typing import Any

import pytest

from agent.engine.containers import inspect, listing
from agent.engine.errors import Invalid, NotFound
from agent.engine.state.records import ContainerRecord, Health, MountPoint, NetworkState, State, Status

SECOND = 1_000_000_000


def make(name: str, age: int, status: Status, **more: Any) -> ContainerRecord:
    state = more.pop("state", {})
    labels = more.pop("labels", {})
    return ContainerRecord(
        id=name * 64, name=f"c-{name}", created_ns=age * SECOND, path="sleep", args=("60", "a b"),
        config={"Labels": labels}, host_config={}, image_id="sha256:1", image_ref="busy",
        state=State(status=status, started_ns=1, finished_ns=1, **state), **more,
    )  # fmt: skip


NETWORK = NetworkState(
    endpoints={"net": {"NetworkID": "n" * 64}},
    ports={"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "90/udp": None},
)
CAST = [
    make("a", 1, Status.RUNNING, labels={"app": "web", "tier": "1"}, network=NETWORK),
    make("b", 2, Status.EXITED, labels={"app": "web"}, state={"exit_code": 3}),
    make("c", 3, Status.CREATED, mounts=(MountPoint("volume", "/vol/_data", "/data", name="vol"),)),
    make("d", 4, Status.PAUSED, state={"health": Health("healthy")}),
    make("e", 5, Status.RUNNING, managed=True),
]


def find(ref: str) -> ContainerRecord:
    for record in CAST:
        if record.name == ref:
            return record
    raise NotFound(f"no such container {ref}")


CONTEXT = listing.Context(find=find, image_ids=lambda ref: {"sha256:1"} if ref == "busy" else set(), network_id=str)


def names(everything: bool = False, limit: int = 0, **filters: list[str]) -> str:
    selection = listing.Selection({key.replace("_", "-"): value for key, value in filters.items()}, CONTEXT)
    return "".join(r.id[0] for r in listing.select(CAST, selection, everything=everything, limit=limit))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, "da"),
        ({"everything": True}, "dcba"),
        ({"limit": 2}, "dc"),
        ({"everything": True, "label": ["app"]}, "ba"),
        ({"everything": True, "label": ["app=web", "tier=1"]}, "a"),
        ({"status": ["created", "paused"]}, "dc"),
        ({"everything": True, "exited": ["3"]}, "b"),
        ({"everything": True, "name": ["c-a", "^/c-b$"]}, "ba"),
        ({"everything": True, "id": ["cccc"]}, "c"),
        ({"everything": True, "volume": ["vol"]}, "c"),
        ({"everything": True, "volume": ["/data/"]}, "c"),
        ({"everything": True, "network": ["net"]}, "a"),
        ({"everything": True, "publish": ["8080"]}, "a"),
        ({"everything": True, "publish": ["80"]}, ""),
        ({"everything": True, "expose": ["80-85"]}, "a"),
        ({"everything": True, "expose": ["90/udp"]}, "a"),
        ({"everything": True, "health": ["healthy"]}, "d"),
        ({"everything": True, "health": ["none"]}, "cba"),
        ({"everything": True, "before": ["c-c"]}, "ba"),
        ({"everything": True, "since": ["c-b"]}, "dc"),
        ({"everything": True, "ancestor": ["busy"]}, "dcba"),
        ({"everything": True, "ancestor": ["nosuch"]}, ""),
        ({"everything": True, "name": ["("]}, ""),
    ],
)
def test_trap_12_filters(options: dict[str, Any], found: str) -> None:
    assert names(**options) == found


@pytest.mark.parametrize(
    ("filters", "error"),
    [
        ({"status": ["nosuch"]}, Invalid),
        ({"health": ["nosuch"]}, Invalid),
        ({"exited": ["x"]}, Invalid),
        ({"publish": ["x"]}, Invalid),
        ({"is-task": ["x"]}, Invalid),
        ({"before": ["nosuch"]}, NotFound),
    ],
)
def test_a_value_that_is_none_is_never_everything(filters: dict[str, list[str]], error: type[Exception]) -> None:
    with pytest.raises(error):
        names(everything=True, **filters)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (61, "About a minute"), (120, "2 minutes"),
        (3600, "About an hour"), (7200, "2 hours"), (48 * 3600, "2 days"), (15 * 86400, "2 weeks"),
        (90 * 86400, "3 months"), (3 * 365 * 86400, "3 years"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert inspect.duration(seconds) == text


@pytest.mark.parametrize(
    ("status", "state", "text"),
    [
        (Status.RUNNING, {}, "Up 10 seconds"),
        (Status.RUNNING, {"health": Health("starting")}, "Up 10 seconds (health: starting)"),
        (Status.RUNNING, {"health": Health("healthy")}, "Up 10 seconds (healthy)"),
        (Status.PAUSED, {}, "Up 10 seconds (Paused)"),
        (Status.EXITED, {"exit_code": 3}, "Exited (3) 5 seconds ago"),
        (Status.RESTARTING, {"exit_code": 1}, "Restarting (1) 5 seconds ago"),
        (Status.CREATED, {}, "Created"),
        (Status.DEAD, {}, "Dead"),
    ],
)
def test_status(status: Status, state: dict[str, Any], text: str) -> None:
    given = State(status=status, started_ns=90 * SECOND, finished_ns=95 * SECOND, **state)
    assert inspect.status_text(given, 100 * SECOND) == text


def test_trap_7_a_row_and_an_inspection() -> None:
    row = inspect.summary(CAST[0], networks={"net": {}}, image="busy")
    assert row["Ports"] == [
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 90, "Type": "udp"},
    ]
    assert (row["Names"], row["Command"], row["Created"]) == (["/c-a"], "sleep 60 'a b'", 1)
    stopped = inspect.summary(CAST[1], networks={}, image="busy")
    assert (stopped["Ports"], stopped["Mounts"], stopped["NetworkSettings"]) == ([], [], {"Networks": {}})
    full = inspect.describe(CAST[3], network_settings={"Ports": {}}, exec_ids=[], graph=None, files={})
    assert (full["ExecIDs"], full["State"]["Health"]["Log"], full["Mounts"]) == (None, [], [])
    assert (full["State"]["Paused"], full["State"]["Running"]) == (True, True)
    assert "Health" not in inspect.state(CAST[0].state)
