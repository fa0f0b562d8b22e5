"""What dockerd has and this engine leaves out: swarm, plugins, BuildKit. Told clearly, in the words that clients know.

Docker Engine API: Swarm, Node, Service, Task, Secret, Config, Plugin, Session.
"""

from aiohttp import web

from agent.engine.api.answers import reply
from agent.engine.errors import Invalid, NotFound, Unavailable

NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)
NO_BUILDKIT = "BuildKit is not part of this engine: build with the classic builder, DOCKER_BUILDKIT=0"

_SWARM = ("swarm", "nodes", "services", "tasks", "secrets", "configs")


def routes() -> list[web.RouteDef]:
    """The table."""
    swarm = [web.get(f"/{noun}{rest}", _swarm) for noun in _SWARM for rest in ("", "/{id:.+}")]
    swarm += [web.post(f"/{noun}/{{rest:.+}}", _swarm) for noun in _SWARM]
    return [
        *swarm,
        web.get("/plugins", _plugins),
        web.get("/plugins/{name:.+}/json", _plugin),
        web.post("/session", _buildkit),
        web.post("/grpc", _buildkit),
    ]


async def _swarm(_: web.Request) -> web.StreamResponse:
    raise Unavailable(NO_SWARM)


async def _plugins(_: web.Request) -> web.StreamResponse:
    return reply([])


async def _plugin(request: web.Request) -> web.StreamResponse:
    raise NotFound(f'plugin "{request.match_info["name"]}" not found')


async def _buildkit(_: web.Request) -> web.StreamResponse:
    raise Invalid(NO_BUILDKIT)
