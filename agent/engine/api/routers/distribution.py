"""``/distribution``: Docker Engine API DistributionInspect."""

from typing import Any, Protocol

from aiohttp import web

from agent.engine.api import params
from agent.engine.api.answers import reply
from agent.engine.errors import System, Unavailable
from agent.engine.registry.keychain import Credentials


class Backend(Protocol):
    """What the router needs of ``ImageService``."""

    async def distribution(self, ref: str, auth: Credentials | None) -> dict[str, Any]: ...


def routes(backend: Backend) -> list[web.RouteDef]:
    """The table."""

    async def inspect(request: web.Request) -> web.Response:
        auth = Credentials.of(params.registry_auth(request))
        try:
            return reply(await backend.distribution(request.match_info["name"], auth))
        except Unavailable as error:
            raise System(str(error)) from error

    return [web.get("/distribution/{name:.*}/json", inspect)]
