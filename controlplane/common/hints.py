"""Hints to browsers: "something changed, fetch it again". Numbered, and the last 10,000 kept in Redis.

A hint is made when the change commits. One script in Redis numbers it, keeps it and publishes it, so that the numbers
a browser sees have no gap unless the ring was lost; then its `epoch` is another one.
"""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import redis
import structlog
from django.db import transaction
from django.utils import timezone

from controlplane.common.bus import client

log = structlog.get_logger(__name__)

RING: Final = "longshore:hints"
SEQ: Final = "longshore:hints:seq"
EPOCH: Final = "longshore:hints:epoch"
CHANNEL: Final = "longshore:hints:live"
STATS: Final = "longshore:stats"
LENGTH: Final = 10_000

_PUSH: Final = """
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[1], KEYS[2]); redis.call('SET', KEYS[3], ARGV[2])
end
local seq = redis.call('INCR', KEYS[2])
local hint = '{"seq":' .. seq .. ',' .. string.sub(ARGV[1], 2)
redis.call('RPUSH', KEYS[1], hint)
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[3]), -1)
redis.call('PUBLISH', ARGV[4], hint)
return seq
"""


@dataclass(frozen=True)
class Position:
    """Where the ring stands: the last number, and which ring it is. Epoch is empty while Redis is away."""

    seq: int
    epoch: str


def position() -> Position:
    """Where the ring stands now: what is read after this is at least as new as the hints up to it."""
    try:
        found: Any = client().mget(SEQ, EPOCH)
    except redis.RedisError:
        return Position(0, "")
    return Position(int(found[0] or 0), (found[1] or b"").decode())


def changed(
    *,
    kind: str,
    action: str,
    ids: Iterable[uuid.UUID | str],
    host_id: uuid.UUID | None = None,
    order_id: uuid.UUID | None = None,
) -> None:
    """Objects changed: told when the transaction commits.

    Args:
        kind: container, image, volume, network, host, repository, event …: the noun of the list to fetch again.
        action: created, updated, removed, or the engine's own word.
    """
    push_on_commit(
        {
            "type": "changed",
            "kind": kind,
            "action": action,
            "ids": [str(one) for one in ids],
            "host": str(host_id) if host_id else None,
            "at": timezone.now().isoformat(),
            "order": str(order_id) if order_id else None,
        }
    )


def order_changed(
    *,
    order_id: uuid.UUID,
    state: str,
    host_id: uuid.UUID,
    target: dict[str, Any],
    op: str = "",
    progress: dict[str, Any] | None = None,
) -> None:
    """An order moved: told when the transaction commits."""
    push_on_commit(
        {
            "type": "order",
            "id": str(order_id),
            "op": op,
            "state": state,
            "progress": progress,
            "target": target,
            "host": str(host_id),
        }
    )


def push_on_commit(hint: dict[str, Any]) -> None:
    """Number and publish a hint once the current transaction has committed."""
    transaction.on_commit(lambda: push(hint), robust=True)


def push(hint: dict[str, Any]) -> None:
    """Number and publish a hint now; a broken Redis is logged, not raised: browsers refetch when they reconnect."""
    text = json.dumps(hint, default=str, separators=(",", ":"))
    try:
        client().eval(_PUSH, 3, RING, SEQ, EPOCH, text, uuid.uuid4().hex, LENGTH, CHANNEL)
    except redis.RedisError as error:
        log.warning("hint lost", kind=hint.get("kind"), error=str(error))


def stats(host_id: uuid.UUID, at: str, rows: list[list[Any]], host: dict[str, Any] | None) -> None:
    """Samples of use, as they come: told to whoever looks on, kept nowhere.

    Args:
        rows: container id, CPU percent, memory, bytes received and sent. host: the host's own sample.
    """
    text = json.dumps({"host_id": str(host_id), "at": at, "rows": rows, "host": host}, default=str)
    try:
        client().publish(STATS, text)
    except redis.RedisError as error:
        log.warning("samples not told", error=str(error))
