"""Which application answers which socket."""

from collections.abc import Awaitable, Callable
from typing import Any

from controlplane.gateway.agents import AgentLinks
from controlplane.inbox.handler import blob, handle
from controlplane.live.routes import BROWSERS

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

AGENTS = AgentLinks(handle, blob)


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """A socket goes to the agents' side, to the browsers', or nowhere: a close before the accept is a 403."""
    if scope["path"] == "/agent/v1/link":
        await AGENTS(scope, receive, send)
    elif scope["path"].startswith("/ws/"):
        await BROWSERS(scope, receive, send)
    else:
        await receive()
        await send({"type": "websocket.close", "code": 4404})
