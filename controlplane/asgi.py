"""The web process: HTTP to Django, `/v2/` to the registry, sockets to their applications."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from controlplane.gateway.lifetime import Lifetime  # noqa: E402
from controlplane.live.feed import FEED  # noqa: E402
from controlplane.live.routes import BROWSERS  # noqa: E402
from controlplane.orders.wait import PreferWait  # noqa: E402
from controlplane.registry.app import application as registry  # noqa: E402
from controlplane.routing import websocket  # noqa: E402

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

lifetime = Lifetime(run=[FEED.run], heard=[BROWSERS.heard], last=[BROWSERS.close_all])
rest = PreferWait(django_application)  # type: ignore[arg-type]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One connection, request or lifespan."""
    match scope["type"]:
        case "lifespan":
            await lifetime(receive, send)
        case "websocket":
            await websocket(scope, receive, send)
        case _ if scope["path"] == "/v2" or scope["path"].startswith("/v2/"):
            await registry(scope, receive, send)  # type: ignore[arg-type]
        case _:
            await rest(scope, receive, send)
