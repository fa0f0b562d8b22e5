"""The registry as an ASGI application: the table of its addresses, and errors as answers."""

import re
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path

import structlog
from django.conf import settings

from controlplane.common.errors import TooMany
from controlplane.registry.auth import Authenticator, Guard
from controlplane.registry.blobs import Blobs
from controlplane.registry.errors import RegistryError
from controlplane.registry.http import ClientGone, Receive, Request, Response, Scope, Send
from controlplane.registry.manifests import Manifests
from controlplane.registry.storage import BlobStorage

Handler = Callable[..., Awaitable[Response]]
log = structlog.get_logger(__name__)


class Registry:
    """`/v2/` of one control plane."""

    def __init__(self, storage: BlobStorage, authenticate: Authenticator) -> None:
        guard = Guard(authenticate)
        blobs, manifests = Blobs(storage, guard), Manifests(guard)

        async def base(request: Request) -> Response:
            guard.check(request)
            return Response(200, {"Content-Type": "application/json"}, b"{}")

        routes: list[tuple[str, dict[str, Handler]]] = [
            (r"/v2/?", {"GET": base, "HEAD": base}),
            (r"/v2/token", {"GET": guard.token, "POST": guard.token}),
            (r"/v2/_catalog", {"GET": manifests.catalog}),
            (r"/v2/(?P<name>.+)/tags/list", {"GET": manifests.tags}),
            (r"/v2/(?P<name>.+)/referrers/(?P<digest>[^/]+)", {"GET": manifests.referrers}),
            (r"/v2/(?P<name>.+)/blobs/uploads/?", {"POST": blobs.begin}),
            (
                r"/v2/(?P<name>.+)/blobs/uploads/(?P<upload_id>[^/]+)",
                {"GET": blobs.status, "PATCH": blobs.grow, "PUT": blobs.finish, "DELETE": blobs.cancel},
            ),
            (
                r"/v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)",
                {"GET": blobs.read, "HEAD": blobs.read, "DELETE": blobs.delete},
            ),
            (
                r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)",
                {"GET": manifests.read, "HEAD": manifests.read, "PUT": manifests.put, "DELETE": manifests.delete},
            ),
        ]
        self.routes = [(re.compile(pattern), methods) for pattern, methods in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a body that was not read makes the server close the connection."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientGone:
            return
        await response.send(send, head=request.method == "HEAD")

    async def _answer(self, request: Request) -> Response:
        try:
            handler, arguments = self._route(request)
            return await handler(request, **arguments)
        except RegistryError as refused:
            return _refused(refused)
        except TooMany as refused:
            headers = {"Retry-After": str(refused.retry_after)}
            return _refused(RegistryError("TOOMANYREQUESTS", refused.detail, headers=headers))

    def _route(self, request: Request) -> tuple[Handler, dict[str, str]]:
        for pattern, methods in self.routes:
            if found := pattern.fullmatch(request.path):
                if request.method not in methods:
                    allow = {"Allow": ", ".join(methods)}
                    raise RegistryError("UNSUPPORTED", "the operation is unsupported", headers=allow)
                return methods[request.method], found.groupdict()
        raise RegistryError("NAME_UNKNOWN", "no such address", detail=request.path)


def _refused(refused: RegistryError) -> Response:
    return Response(refused.status, {"Content-Type": "application/json"} | refused.headers, refused.body())


class Lazy:
    """The registry of this installation, built at its first request: when Django's settings are there."""

    @cached_property
    def registry(self) -> Registry:
        """The application itself."""
        from controlplane.registry.people import authenticate

        return Registry(BlobStorage.on_disk(Path(settings.LONGSHORE_DATA) / "registry"), authenticate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over."""
        await self.registry(scope, receive, send)


application = Lazy()
