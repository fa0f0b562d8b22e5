"""Which application answers which socket."""

from collections.abc import Awaitable, Callable
from typing import Any

from controlplane.gateway.agents import AgentLinks
from controlplane.inbox.handler import blob, handle

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """No socket of that path: a close before the accept is a 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


SOCKETS: dict[str, App] = {"/agent/v1/link": AgentLinks(handle, blob)}
"""Sockets by their exact path; the browsers' are in live/routes.py."""
