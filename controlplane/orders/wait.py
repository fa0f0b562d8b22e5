"""`Prefer: wait=N` (RFC 7240): hold the answer until its order has ended, holding no thread and no connection of the
database meanwhile.

An ASGI application around Django. The view answers 202 as always; then this waits on the loop for the hint that the
order has ended, and asks the order's own address once more with the same credentials, so that rights are judged again.
"""

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final

import redis
import structlog

from controlplane.common import hints
from controlplane.common.bus import async_client
from controlplane.common.problems import MEDIA_TYPE, problem
from controlplane.orders.states import FINAL

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST: Final = 60
MOST: Final = 200
_PREFER: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,3})\"?\s*(?:[,;]|$)")
_ORDER: Final = re.compile(r"^/api/orders/([0-9a-f-]{36})/$")
_REMEMBERED: Final = 2000
_KEPT_HEADERS: Final = frozenset({b"cookie", b"authorization", b"host", b"x-request-id", b"user-agent"})
log = structlog.get_logger(__name__)


class Ends:
    """Ends of orders as they are told on Redis; one listener a process, started by the first who waits."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Event]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    async def ready(self) -> None:
        """Listen before the order is made, so that its end cannot be missed; not longer than a second for Redis."""
        if self._task is None or self._task.done():
            self._listening = asyncio.Event()
            self._task = asyncio.create_task(self._listen())
        try:
            await asyncio.wait_for(self._listening.wait(), 1)
        except TimeoutError:
            log.warning("waiting without Redis: answers come at the end of their time")

    async def wait(self, order_id: str, seconds: float) -> None:
        """Until the order has ended, may have ended, or the time is over."""
        if order_id in self._ended:
            return
        event = asyncio.Event()
        self._waiting.setdefault(order_id, []).append(event)
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            left = self._waiting[order_id]
            left.remove(event)
            if not left:
                del self._waiting[order_id]

    async def _listen(self) -> None:
        while True:
            connection = async_client()
            try:
                async with connection.pubsub() as pubsub:
                    await pubsub.subscribe(hints.CHANNEL)
                    # What ended while nobody listened is not known: everybody asks.
                    self._wake_all()
                    async for message in pubsub.listen():
                        if message["type"] == "subscribe":
                            self._listening.set()
                        elif message["type"] == "message":
                            self._heard(message["data"])
            except (redis.RedisError, OSError) as error:
                self._listening.clear()
                log.warning("not listening for ends of orders", error=str(error))
                await asyncio.sleep(1)
            finally:
                await connection.aclose()

    def _heard(self, data: bytes) -> None:
        hint = json.loads(data)
        if hint.get("type") != "order" or hint.get("state") not in FINAL:
            return
        self._ended[hint["id"]] = None
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        for event in self._waiting.get(hint["id"], ()):
            event.set()

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()


class PreferWait:
    """Wraps the application that answers REST."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._ends = Ends()
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through whatever does not ask to wait."""
        seconds = wanted(scope)
        if not seconds or self._now >= MOST:
            await self._app(scope, receive, send)
            return
        self._now += 1
        try:
            await self._serve(scope, receive, send, min(seconds, LONGEST))
        finally:
            self._now -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send, seconds: int) -> None:
        await self._ends.ready()
        first = await _call(self._app, scope, receive)
        order = first.order()
        if order is None or order.get("waiting_for") == "host":
            await first.replay(send)
            return
        end = time.monotonic() + seconds
        latest = first
        while (left := end - time.monotonic()) > 0:
            await self._ends.wait(str(order["id"]), left)
            latest = await _call(self._app, _asking(scope, first.location), _empty_body())
            if latest.status != 200:
                break
            order = json.loads(latest.body)
            if order["state"] in FINAL:
                await _ended(send, first, order, seconds)
                return
        await first.replay(send, body=latest.body if latest.status == 200 else None)


def wanted(scope: Scope) -> int:
    """Seconds of `Prefer: wait=N` on a request that may make an order; 0 for none."""
    if scope["type"] != "http" or scope["method"] not in {"POST", "PUT", "PATCH", "DELETE"}:
        return 0
    if not scope["path"].startswith("/api/"):
        return 0
    for name, value in scope["headers"]:
        if name == b"prefer" and (seconds := seconds_of(value.decode("latin-1"))):
            return seconds
    return 0


def seconds_of(header: str) -> int:
    """The N of a `Prefer` header with `wait=N`; 0 without."""
    found = _PREFER.search(header.lower())
    return int(found.group(1)) if found else 0


class _Answer:
    """A whole answer of the application."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    @property
    def location(self) -> str:
        return self.header(b"location")

    def header(self, name: bytes) -> str:
        return next((value.decode() for key, value in self.headers if key.lower() == name), "")

    def order(self) -> dict[str, Any] | None:
        if self.status != 202 or not _ORDER.match(self.location):
            return None
        found: dict[str, Any] = json.loads(self.body)
        return found

    async def replay(self, send: Send, body: bytes | None = None) -> None:
        body = self.body if body is None else body
        headers = [(n, v) for n, v in self.headers if n.lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _call(app: App, scope: Scope, receive: Receive) -> _Answer:
    answer = _Answer()

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")

    await app(scope, receive, take)
    return answer


def _asking(scope: Scope, path: str) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name in _KEPT_HEADERS]
    return {**scope, "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers}


def _empty_body() -> Receive:
    """An empty request body; after it nothing more comes, since Django listens for a disconnect beside its view."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


async def _ended(send: Send, first: _Answer, order: dict[str, Any], seconds: int) -> None:
    kept = [(n, v) for n, v in first.headers if n.lower() not in {b"content-length", b"content-type", b"etag"}]
    kept.append((b"preference-applied", f"wait={seconds}".encode()))
    if order["state"] == "done":
        status, media, body = 200, "application/json", order
    else:
        status, media, body = *_failure(order), as_problem(order, first.header(b"x-request-id"))
    raw = json.dumps(body, ensure_ascii=False).encode()
    headers = [*kept, (b"content-type", media.encode()), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})


def _failure(order: dict[str, Any]) -> tuple[int, str]:
    if order["state"] == "cancelled":
        return 409, MEDIA_TYPE
    if order["state"] == "expired":
        return 503, MEDIA_TYPE
    told = order.get("problem") or {}
    status = 409 if told.get("code") == "conflict" else int(told.get("status") or 0)
    return (status if status in {400, 403, 404, 409, 507} else 502), MEDIA_TYPE


def as_problem(order: dict[str, Any], request_id: str) -> dict[str, Any]:
    """An order that ended badly, as the problem that a caller who waited gets."""
    told = order.get("problem") or {}
    status, _ = _failure(order)
    return problem(
        status,
        str(told.get("code") or order["state"]),
        str(told.get("detail") or f"The order ended as {order['state']}"),
        instance=request_id,
        order=order,
    )
