"""`/ws/events`: hints and order states of what the viewer may see, samples of what it looks at."""

import asyncio
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings

from controlplane.common import rights
from controlplane.common.access import Access
from controlplane.live.feed import FEED
from controlplane.live.socket import BAD_MESSAGE, Closed, Socket
from controlplane.orders.ops import VIEW

PING_SECONDS: Final = 20.0
SILENT_SECONDS: Final = 60.0
_STATS_IDS: Final = 300
_SUBSCRIPTIONS: Final = 20

# what one must be allowed to see to be told that something of the kind changed
RIGHT: Final[Mapping[str, str]] = {
    **VIEW,
    "event": rights.HOSTS_VIEW,
    "repository": rights.REGISTRY_PULL,
    "audit": rights.AUDIT_VIEW,
}
_GLOBAL: Final = frozenset({"token", "enrolment", "user"})
TOPICS: Final = frozenset({*RIGHT, *_GLOBAL, "order"})
_PLURAL: Final = {"repositories": "repository", "audit": "audit"}


async def serve(socket: Socket, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Tell until the browser leaves."""
    view = _View(socket)
    FEED.add(view.told)
    try:
        here = await FEED.position()
        socket.put(
            "hello",
            seq=here.seq,
            epoch=here.epoch,
            server_time=datetime.now(UTC).isoformat(),
            version=settings.LONGSHORE_BUILD,
        )
        pinging = asyncio.create_task(view.ping())
        reading = asyncio.create_task(view.read())
        try:
            done, _ = await asyncio.wait({pinging, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pinging.cancel()
            reading.cancel()
            await asyncio.gather(pinging, reading, return_exceptions=True)
        for task in done:
            task.result()
    finally:
        FEED.remove(view.told)


class _View:
    """What one socket asked for."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._subscriptions: dict[str, tuple[frozenset[str], frozenset[str], frozenset[str]]] = {}
        self._last = 0
        self._heard = time.monotonic()

    def told(self, kind: str, content: dict[str, Any]) -> None:
        """The feed has something."""
        if kind == "resync":
            # another ring counts from one again
            self._last = 0
            self._socket.put("resync")
        elif kind == "stats":
            self._stats(content)
        elif content["seq"] > self._last:
            self._last = content["seq"]
            if self._wants(content) and may_see(self._socket.access, content):
                whole = self._socket.offer(content["type"], **{k: v for k, v in content.items() if k != "type"})
                if not whole:
                    # a hint was lost: what the page shows may be old
                    self._socket.put("resync")

    async def ping(self) -> None:
        """Ask whether the page is still there."""
        while True:
            await asyncio.sleep(PING_SECONDS)
            if time.monotonic() - self._heard > SILENT_SECONDS:
                raise Closed(1001, "nothing heard")
            self._socket.put("ping")

    async def read(self) -> None:
        """Take subscriptions."""
        while True:
            message = await self._socket.read()
            self._heard = time.monotonic()
            if isinstance(message, bytes):
                raise Closed(BAD_MESSAGE, "no bytes here")
            match message["type"]:
                case "subscribe":
                    await self._subscribe(message)
                case "unsubscribe":
                    self._subscriptions.pop(str(message.get("id"))[:64], None)
                case "pong":
                    pass
                case _:
                    raise Closed(BAD_MESSAGE, "no such message")

    async def _subscribe(self, message: dict[str, Any]) -> None:
        topics = _words(message.get("topics"), 50)
        kinds = frozenset(_PLURAL.get(one, one.removesuffix("s")) for one in topics)
        if unknown := sorted(kinds - TOPICS):
            raise Closed(BAD_MESSAGE, f"no topic {unknown[0][:40]}")
        wanted = message.get("filter")
        hosts = _words(wanted.get("host"), 500) if isinstance(wanted, dict) else frozenset()
        stats = _words(message.get("stats_ids"), _STATS_IDS)
        if len(self._subscriptions) >= _SUBSCRIPTIONS:
            raise Closed(BAD_MESSAGE, "too many subscriptions")
        self._subscriptions[str(message.get("id"))[:64]] = (kinds, hosts, stats)
        since = message.get("since")
        if since is None:
            return
        if not isinstance(since, int) or isinstance(since, bool):
            raise Closed(BAD_MESSAGE, "since must be a number")
        missed = await FEED.since(since)
        if missed is None or len(missed) > 200:
            self._socket.put("resync")
            return
        for hint in missed:
            if self._wants(hint) and may_see(self._socket.access, hint):
                self._socket.put(hint["type"], **{name: value for name, value in hint.items() if name != "type"})
            self._last = max(self._last, hint["seq"])

    def _wants(self, hint: dict[str, Any]) -> bool:
        kind = "order" if hint["type"] == "order" else hint.get("kind")
        return any(
            (not kinds or kind in kinds) and (not hosts or hint.get("host") in hosts)
            for kinds, hosts, _ in self._subscriptions.values()
        )

    def _stats(self, content: dict[str, Any]) -> None:
        host_id = uuid.UUID(content["host_id"])
        if not self._socket.access.on(rights.CONTAINERS_VIEW, host_id):
            return
        ids = frozenset().union(*(stats for _, _, stats in self._subscriptions.values()))
        rows = [row for row in content["rows"] if row[0] in ids]
        if rows:
            self._socket.offer("stats", at=content["at"], rows=rows)


def may_see(access: Access, hint: dict[str, Any]) -> bool:
    """Whether a hint's object is one that the viewer may see."""
    host = hint.get("host")
    kind = (hint.get("target") or {}).get("type") if hint["type"] == "order" else hint.get("kind")
    if kind in _GLOBAL:
        return bool(kind != "user")
    right = RIGHT.get(str(kind))
    if right is None:
        return False
    return access.on(right, uuid.UUID(host)) if host else access.anywhere(right)


def _words(value: Any, most: int) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, list) or len(value) > most or not all(isinstance(one, str) for one in value):
        raise Closed(BAD_MESSAGE, "a list of words is wanted")
    return frozenset(value)
