"""Control messages: the small JSON objects that share the WebSocket with the streams, as text messages.

Upwards every message but `hello` carries `n`, one more each time. The control plane answers `ack{n}` once what it says
is committed, or `refuse{n, code, detail}` when it never will be; an agent has at most WINDOW of them unanswered.
A result stays in the host's journal until its ack.

Downwards: `hello` `heartbeat{seq, server_time}` `orders{items, more}` `cancel{order_id}` `refresh{}` `ack` `refuse`
`stats{every}`. Field tables below; the shapes of items are the TypedDicts.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, NotRequired, TypedDict

WINDOW: Final = 64
MAX_ITEMS: Final = 500
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


class BadReport(ValueError):
    """A control message that is not in the table, or not of its shape."""


class HostReport(TypedDict):
    """What a host is: sent with `hello` and when the engine changes."""

    hostname: str
    os: str
    kernel: str
    arch: str
    cpus: int
    memory_bytes: int
    disk_total_bytes: int
    disk_free_bytes: int
    agent_version: str
    engine_name: str
    engine_version: str
    engine_api: str
    engine_running: bool
    engine_info: dict[str, Any]  # Docker's /info
    policy: dict[str, Any]  # what the host-local policy forbids, for display
    boot_id: str


class PortReport(TypedDict):
    container_port: int
    protocol: str
    host_ip: NotRequired[str]
    host_port: NotRequired[int]


class ContainerReport(TypedDict):
    """One container as its engine has it now. `state` is Docker's word, times RFC 3339 or empty."""

    engine_id: str
    longshore_id: str  # label longshore.id, else empty
    name: str
    image: str  # as the user wrote it
    image_id: str
    command: str
    state: str  # created running paused restarting removing exited dead
    health: str  # starting healthy unhealthy, else empty
    health_log: list[dict[str, Any]]
    exit_code: int
    oom_killed: bool
    error: str
    created_at: str
    started_at: str
    finished_at: str
    restart_count: int
    restart_policy: str
    ports: list[PortReport]
    labels: dict[str, str]
    mounts: list[dict[str, Any]]  # Docker's Mounts
    networks: dict[str, dict[str, Any]]  # Docker's NetworkSettings.Networks
    inspect: dict[str, Any]  # Docker's whole answer


class ImageReport(TypedDict):
    engine_id: str  # sha256:…
    references: list[str]
    digests: list[str]
    size: int
    created_at: str
    labels: dict[str, str]


class VolumeReport(TypedDict):
    name: str
    longshore_id: str
    driver: str
    mountpoint: str
    options: dict[str, str]
    labels: dict[str, str]
    created_at: str


class NetworkReport(TypedDict):
    engine_id: str
    longshore_id: str
    name: str
    driver: str
    scope: str
    internal: bool
    attachable: bool
    enable_ipv6: bool
    ipam: dict[str, Any]  # Docker's IPAM
    options: dict[str, str]
    labels: dict[str, str]
    created_at: str
    containers: list[str]  # engine ids


class EventReport(TypedDict):
    """One event of the engine, in dockerd's words."""

    kind: str  # container image volume network daemon
    action: str
    engine_id: str
    attributes: dict[str, str]
    at: str  # RFC 3339
    at_nano: int  # the engine's own time, to recognise a repeat
    # with a container's `die`: what "Last exit" shows, also when the container is gone a moment later
    exit: NotRequired[
        dict[str, Any]
    ]  # {code, oom_killed, error, started_at, finished_at, log_tail: [[at, "o"|"e", text]]}


class StatsReport(TypedDict):
    """One sample. `engine_id` is empty for the host itself."""

    engine_id: str
    at: str
    cpu_percent: float  # of one core
    memory_bytes: int  # without the page cache
    memory_cache: int
    memory_limit: int
    net: dict[str, list[int]]  # interface -> [received, sent]
    block: list[int]  # [read, written]
    pids: int


class ProblemReport(TypedDict):
    """Why an order ended badly: `status` as the engine's HTTP status, 403 for the host's policy, 0 for neither."""

    code: str
    status: int
    detail: str
    rule: NotRequired[str]


KINDS: Final = ("container", "image", "volume", "network")
END_STATES: Final = ("done", "failed", "expired", "cancelled")

# message type -> field -> type; a field with None may be left out
_UP: Final[Mapping[str, Mapping[str, type | tuple[type, ...]]]] = {
    "fetch": {"after": int},
    "host": {"report": dict},
    # all of one kind, in parts: what the last part has not named is gone
    "inventory": {"kind": str, "run": str, "last": bool, "items": list},
    # some of one kind: `gone` names engine ids (volumes: names)
    "changed": {"kind": str, "items": list, "gone": list},
    "events": {"items": list},
    "stats": {"items": list},
    "order.ack": {"order_ids": list},
    "order.running": {"order_id": str, "at": str},
    "order.progress": {"order_id": str, "lines": list, "progress": dict},
    "order.result": {"order_id": str, "state": str, "result": dict, "problem": (dict, type(None)), "finished_at": str},
    "order.refused": {"order_id": str, "code": str, "detail": str},
}
_DOWN: Final[Mapping[str, Mapping[str, type | tuple[type, ...]]]] = {
    "hello": {"protocol": int, "server_time": (int, float), "heartbeat": (int, float)},
    "heartbeat": {"seq": int, "server_time": (int, float)},
    "orders": {"items": list, "more": bool},
    "cancel": {"order_id": str},
    "refresh": {},
    "ack": {"n": int},
    "refuse": {"n": int, "code": str, "detail": str},
}
UP_TYPES: Final = frozenset(_UP)
DOWN_TYPES: Final = frozenset(_DOWN)


def read_up(text: str) -> dict[str, Any]:
    """Parse a message from an agent: known type, `n`, fields of their types.

    Raises:
        BadReport: anything else.
    """
    message = _read(text, _UP)
    if type(message.get("n")) is not int or message["n"] < 1:
        raise BadReport("a report without its number")
    for name in ("items", "gone", "order_ids", "lines"):
        if len(message.get(name, ())) > MAX_ITEMS:
            raise BadReport(f"{name}: more than {MAX_ITEMS}")
    return message


def read_down(text: str) -> dict[str, Any]:
    """Parse a message from the control plane.

    Raises:
        BadReport: not of the table.
    """
    return _read(text, _DOWN)


def write(kind: str, /, **fields: Any) -> str:
    """One control message as text."""
    return json.dumps({"type": kind, **fields}, separators=(",", ":"), ensure_ascii=False)


def _read(text: str, table: Mapping[str, Mapping[str, type | tuple[type, ...]]]) -> dict[str, Any]:
    try:
        message = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if _HALF.search(text):
            message = _whole(message)
    except (ValueError, RecursionError):
        raise BadReport("not JSON") from None
    if not isinstance(message, dict):
        raise BadReport("not an object")
    kind = message.get("type")
    fields = table.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise BadReport("unknown message type")
    for name, wanted in fields.items():
        value = message.get(name)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise BadReport(f"{kind}: {name} is missing or of a wrong type")
    return message


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is larger than any number")
    return value


def _whole(value: Any) -> Any:
    """Without half characters: JSON can write them, no database and no answer in UTF-8 can."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value
