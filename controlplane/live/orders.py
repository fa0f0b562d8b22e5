"""`/ws/orders/{id}`: an order's state and lines, those that were and those that come."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Final

from channels.db import database_sync_to_async

from controlplane.common.access import Access
from controlplane.common.errors import Invalid, NotFound
from controlplane.live.feed import FEED
from controlplane.live.orderview import layers_of, steps_of
from controlplane.live.socket import TOO_SLOW, Closed, Socket
from controlplane.orders.models import Order, OrderLine
from controlplane.orders.selectors import order_get
from controlplane.orders.states import FINAL

_PAGE: Final = 500
_LOOK_SECONDS: Final = 2.0
_GATHER_SECONDS: Final = 0.25
_PATIENCE: Final = 30.0


async def serve(socket: Socket, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Tell until the order has ended and everything was told."""
    try:
        order_id = uuid.UUID(parts["id"])
    except ValueError:
        raise NotFound("No such order") from None
    after = query.get("after", "0")
    if not after.isdecimal() or len(after) > 9:
        raise Invalid("after must be a number")
    hinted = asyncio.Event()

    def told(kind: str, content: dict[str, Any]) -> None:
        if kind == "resync" or (kind == "hint" and content.get("id") == str(order_id)):
            hinted.set()

    def allowed(access: Access) -> None:
        # selectors ask the database; what can be asked here is whether any right to see orders is left
        if not access.rights:
            raise NotFound("No such order")

    socket.still_allowed = allowed
    FEED.add(told)
    listening = asyncio.create_task(_listen(socket))
    telling = asyncio.create_task(_tell(socket, order_id, int(after), hinted))
    try:
        done, _ = await asyncio.wait({listening, telling}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        FEED.remove(told)
        for task in (listening, telling):
            task.cancel()
        await asyncio.gather(listening, telling, return_exceptions=True)
    for task in done:
        task.result()


async def _tell(socket: Socket, order_id: uuid.UUID, after: int, hinted: asyncio.Event) -> None:
    version, layers, steps = -1, {}, {}  # type: ignore[var-annotated]
    while True:
        hinted.clear()
        order, lines = await database_sync_to_async(_read)(socket.access, order_id, after)
        if order.version != version:
            version = order.version
            socket.put("state", state=order.state, progress=order.progress, started_at=_text(order.started_at))
        for line in lines:
            after = line.n
            told = {"n": line.n, "at": _text(line.at), "step": line.step, "text": line.text}
            if not await socket.put_wait("line", _PATIENCE, **told):
                raise Closed(TOO_SLOW, "the browser is too slow")
        if lines:
            if layers_of(lines, layers):
                socket.put("layers", layers=list(layers.values()))
            if steps_of(lines, steps):
                socket.put("steps", steps=list(steps.values()))
        if len(lines) == _PAGE:
            continue
        if order.state in FINAL:
            socket.put("end", state=order.state, result=order.result, problem=order.problem)
            raise Closed(1000, order.state)
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await hinted.wait()
            await asyncio.sleep(_GATHER_SECONDS if order.state == "running" else 0)
        except TimeoutError:
            pass


def _read(access: Access, order_id: uuid.UUID, after: int) -> tuple[Order, list[OrderLine]]:
    order = order_get(access, order_id)
    return order, list(OrderLine.objects.filter(order=order, n__gt=after).order_by("n")[:_PAGE])


async def _listen(socket: Socket) -> None:
    while True:
        await socket.read()


def _text(value: Any) -> str | None:
    return value.isoformat() if value is not None else None
