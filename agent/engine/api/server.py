"""The Docker Engine API on a unix socket: from a path to a handler.

Routers give plain ``web.RouteDef`` tables without a version. The version is cut off here, once, rather than by doubling
every route.
"""

import asyncio
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from aiohttp import web

from agent.engine.api import errors, middleware, versions
from agent.engine.errors import Invalid, NotFound

# JSON bodies only; archives, images and build contexts are read as streams.
LARGEST_BODY = 16 * 1024 * 1024
# Connections that wait to be accepted. Go's clients do not wait for room: a burst of calls would be refused.
BACKLOG = 4096
# sun_path of sockaddr_un, less its final zero.
LONGEST_SOCKET_PATH = 107

_PARAMETER = re.compile(r"\{(\w+)(?::([^{}]+))?\}")


def pattern(path: str) -> re.Pattern[str]:
    """The expression for a route's path: ``{name}`` is one segment, ``{name:REGEX}`` what the expression says."""
    out, end = "", 0
    for found in _PARAMETER.finditer(path):
        out += re.escape(path[end : found.start()]) + f"(?P<{found[1]}>{found[2] or '[^/]+'})"
        end = found.end()
    return re.compile(out + re.escape(path[end:]))


class RouteTable:
    """Routes by method and first segment, tried in the order in which they were added."""

    def __init__(self, routes: Iterable[web.RouteDef]) -> None:
        self._routes: dict[tuple[str, str], list[tuple[re.Pattern[str], middleware.Handler]]] = {}
        for route in routes:
            key = (route.method, self._first(route.path))
            self._routes.setdefault(key, []).append((pattern(route.path), route.handler))

    @staticmethod
    def _first(path: str) -> str:
        return path.split("/", 2)[1] if path.startswith("/") else ""

    def find(self, method: str, path: str) -> tuple[middleware.Handler, dict[str, str]]:
        """The handler for a path and the values of its parameters.

        Raises:
            NotFound: no such page, or not by that method; dockerd does not tell the two apart.
        """
        for expression, handler in self._routes.get((method, self._first(path)), ()):
            found = expression.fullmatch(path)
            if found is not None:
                return handler, found.groupdict()
        raise NotFound("page not found")


def application(routes: Iterable[web.RouteDef]) -> web.Application:
    """The API as an aiohttp application."""
    table = RouteTable(routes)
    running: set[asyncio.Task[web.StreamResponse]] = set()

    async def dispatch(request: web.Request) -> web.StreamResponse:
        try:
            request["version"], path = versions.split(request.path)
            handler, parameters = table.find(request.method, path)
        except (Invalid, NotFound) as error:
            return errors.answer(error)
        request.match_info.clear()
        request.match_info.update(parameters)
        return await middleware.run(handler, request, running)

    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", dispatch)
    app.on_response_prepare.append(middleware.put_headers)
    return app


async def listen(app: web.Application, path: Path, *, mode: int = 0o660) -> web.AppRunner:
    """Serve on a unix socket until the runner's ``cleanup`` is awaited.

    Raises:
        Invalid: the path is longer than a socket address can be.
    """
    if len(str(path).encode()) > LONGEST_SOCKET_PATH:
        raise Invalid(f"socket path {path} is longer than {LONGEST_SOCKET_PATH} bytes: choose a shorter one")
    if path.is_socket():
        path.unlink()
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=2.0, keepalive_timeout=75.0
    )
    await runner.setup()
    await web.UnixSite(runner, str(path), backlog=BACKLOG).start()
    path.chmod(stat.S_IMODE(mode))
    return runner
