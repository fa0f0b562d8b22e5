"""Every route of the engine, from its services."""

from collections.abc import Iterable

from aiohttp import web

from agent.engine.api.backends import ContainerViews, Login, Services, SystemViews
from agent.engine.api.routers import absent, containers, distribution, exec, images, networks, streams, system, volumes
from agent.engine.api.routers.containers import Verbs
from agent.engine.api.routers.images import Containers as ContainersOfCommit
from agent.engine.api.schema.system import Facts


def routes(
    services: Services,
    verbs: Verbs,
    commits: ContainersOfCommit,
    facts: Facts,
    login: Login,
    more: Iterable[web.RouteDef] = (),
) -> list[web.RouteDef]:
    """The whole table.

    Args:
        services: what is looked into.
        verbs: what changes containers.
        commits: the same, as commit sees it.
        facts: what the engine says of itself.
        login: tries credentials on a registry.
        more: routes that are built elsewhere.
    """
    views = ContainerViews(services)
    return [
        *system.routes(SystemViews(services, views, facts, login)),
        *containers.routes(verbs, views),
        *streams.routes(views),
        *exec.routes(views),
        *images.routes(services.images, commits),
        *distribution.routes(services.images),
        *networks.routes(services.networks),
        *volumes.routes(services.volumes),
        *more,
        *absent.routes(),
    ]
