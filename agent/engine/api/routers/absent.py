"""What dockerd has and this engine leaves out: swarm, managed plugins, checkpoints, BuildKit. Told clearly, in words
that clients know: as a dockerd outside a swarm, with no plugin installed.

Docker Engine API: Swarm, Node, Service, Task, Secret, Config, Plugin, Session.
"""

from aiohttp import web

from agent.engine.api.answers import reply
from agent.engine.errors import Invalid, NotFound, Unavailable

NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)
NOT_IN_SWARM = "This node is not part of a swarm"
SWARM_ABSENT = "swarm mode is not part of this engine: join hosts to a Longshore control plane instead"
PLUGINS_ABSENT = (
    "managed plugins are not part of this engine: run a plugin as a service, its socket in /run/docker/plugins"
)
EXPERIMENTAL = (
    "This experimental feature is disabled by default. Start the Docker daemon in experimental mode in order to enable"
    " it."
)
NO_BUILDKIT = "BuildKit is not part of this engine: build with the classic builder, DOCKER_BUILDKIT=0"

_SWARM = ("swarm", "nodes", "services", "tasks", "secrets", "configs")
_PLUGIN_VERBS = ("enable", "disable", "push", "set", "upgrade")


def routes() -> list[web.RouteDef]:
    """The table; the first that fits counts."""
    return [
        web.post("/swarm/init", _no_swarm_mode),
        web.post("/swarm/join", _no_swarm_mode),
        web.post("/swarm/leave", _not_in_swarm),
        *(web.get(f"/{noun}{rest}", _swarm) for noun in _SWARM for rest in ("", "/{id:.+}")),
        *(web.post(f"/{noun}/{{rest:.+}}", _swarm) for noun in _SWARM),
        *(web.delete(f"/{noun}/{{id:.+}}", _swarm) for noun in _SWARM if noun != "swarm"),
        web.get("/plugins", _plugins),
        web.get("/plugins/privileges", _no_managed_plugins),
        web.post("/plugins/pull", _no_managed_plugins),
        web.post("/plugins/create", _no_managed_plugins),
        web.get("/plugins/{name:.+}/json", _plugin),
        *(web.post(f"/plugins/{{name:.+}}/{verb}", _plugin) for verb in _PLUGIN_VERBS),
        web.delete("/plugins/{name:.+}", _plugin),
        *(
            web.route(method, f"/containers/{{name}}/checkpoints{rest}", _experimental)
            for method, rest in (("GET", ""), ("POST", ""), ("DELETE", "/{checkpoint}"))
        ),
        web.post("/session", _buildkit),
        web.post("/grpc", _buildkit),
    ]


async def _swarm(_: web.Request) -> web.StreamResponse:
    raise Unavailable(NO_SWARM)


async def _not_in_swarm(_: web.Request) -> web.StreamResponse:
    raise Unavailable(NOT_IN_SWARM)


async def _no_swarm_mode(_: web.Request) -> web.StreamResponse:
    raise Invalid(SWARM_ABSENT)


async def _plugins(_: web.Request) -> web.StreamResponse:
    return reply([])


async def _plugin(request: web.Request) -> web.StreamResponse:
    raise NotFound(f'plugin "{request.match_info["name"]}" not found')


async def _no_managed_plugins(_: web.Request) -> web.StreamResponse:
    raise Invalid(PLUGINS_ABSENT)


async def _experimental(_: web.Request) -> web.StreamResponse:
    return reply({"message": EXPERIMENTAL}, status=501)


async def _buildkit(_: web.Request) -> web.StreamResponse:
    raise Invalid(NO_BUILDKIT)
