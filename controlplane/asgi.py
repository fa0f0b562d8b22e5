"""The web process: HTTP to Django, `/v2/` to the registry, sockets to their applications."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from controlplane.gateway.lifetime import Lifetime  # noqa: E402
from controlplane.routing import SOCKETS, nowhere  # noqa: E402

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

lifetime = Lifetime()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One connection, request or lifespan."""
    match scope["type"]:
        case "lifespan":
            await lifetime(receive, send)
        case "websocket":
            await SOCKETS.get(scope["path"], nowhere)(scope, receive, send)
        case _:
            await django_application(scope, receive, send)  # type: ignore[arg-type]
