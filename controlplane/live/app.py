"""What every browser socket has in common: who, from where, how many, until when.

Origin wrong ─▶ 403.  All else ─▶ accepted, then closed with a 44xx that a page can read.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import structlog

from controlplane.common import bus
from controlplane.common.errors import Denied, Invalid, NotFound, Refusal, Unavailable
from controlplane.live.credentials import CHECK_SECONDS, WrongOrigin, credentials_of
from controlplane.live.socket import (
    BAD_MESSAGE,
    DENIED,
    HOST_OFFLINE,
    NOT_FOUND,
    PROTOCOL,
    RESTART,
    UNKNOWN,
    WRONG_STATE,
    Closed,
    Receive,
    Send,
    Socket,
)

log = structlog.get_logger(__name__)

MOST_PER_USER: Final = 20
_LAST_WORDS: Final = 2.0

# the socket, the path's parts, the query
Serve = Callable[[Socket, Mapping[str, str], Mapping[str, str]], Awaitable[None]]


class Route:
    """One path: its pattern, the right that it needs (SELF: to be somebody), the query it takes, and what serves it."""

    def __init__(self, path: str, right: str, serve: Serve, query: str = "") -> None:
        self.path = path
        self.right = right
        self.pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
        self.serve = serve
        self.query = frozenset(query.split())


class Browsers:
    """The ASGI application of every socket below `/ws/`."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes
        self._open: set[_Open] = set()
        self._per_user: Counter[str] = Counter()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        try:
            credentials = credentials_of(scope)
        except WrongOrigin:
            await send({"type": "websocket.close", "code": DENIED})
            return
        wanted = scope.get("subprotocols") or []
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if PROTOCOL in wanted else None})
        try:
            route, parts = self._route(scope["path"])
            query = _query(route, scope["query_string"])
            access = await credentials.access()
            if access is None or access.actor.user_id is None:
                raise Closed(UNKNOWN, "sign in again")
            socket = Socket(receive, send, credentials, access)
            with self._counted(str(access.actor.user_id)):
                await self._serve(socket, route, parts, query)
        except Closed as closed:
            await _close(send, closed)
        except Exception:
            log.exception("a socket broke", path=scope["path"])
            await _close(send, Closed(1011, "Longshore made a mistake"))

    async def heard(self, message: dict[str, Any]) -> None:
        """A message of the bus: rights changed, or somebody signed out."""
        for one in list(self._open):
            mine = {None, str(one.socket.access.actor.user_id)}
            match message.get("topic"):
                case bus.SIGNED_OUT if one.socket.credentials.session_digest == message.get("session"):
                    one.recheck.set()
                case bus.RIGHTS_CHANGED if message.get("user_id") in mine:
                    one.recheck.set()

    def close_all(self) -> None:
        """The process ends: browsers come back to the next one."""
        for one in list(self._open):
            one.restart.set()

    def _route(self, path: str) -> tuple[Route, dict[str, str]]:
        for route in self.routes:
            if found := route.pattern.fullmatch(path):
                return route, found.groupdict()
        raise Closed(NOT_FOUND, "no such socket")

    @contextlib.contextmanager
    def _counted(self, user: str) -> Any:
        if self._per_user[user] >= MOST_PER_USER:
            raise Closed(1008, f"more than {MOST_PER_USER} sockets of one user")
        self._per_user[user] += 1
        try:
            yield
        finally:
            self._per_user[user] -= 1
            if not self._per_user[user]:
                del self._per_user[user]

    async def _serve(self, socket: Socket, route: Route, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
        one = _Open(socket)
        self._open.add(one)
        serving = asyncio.create_task(_served(route, socket, parts, query))
        writing = asyncio.create_task(socket.write())
        watching = asyncio.create_task(one.watch())
        try:
            done, _ = await asyncio.wait({serving, writing, watching}, return_when=asyncio.FIRST_COMPLETED)
            end = next((task.exception() for task in done if task.exception() is not None), None)
            await _let_go(serving, watching)
            if not (isinstance(end, Closed) and end.code == 0):
                # the frame under way is not to be cut off: the writer ends by itself, as far as the browser takes it
                socket.finish()
                await asyncio.wait({writing}, timeout=_LAST_WORDS)
        finally:
            await _let_go(serving, writing, watching)
            self._open.discard(one)
        raise end or Closed(1000)


class _Open:
    """A socket that is open, and what may end it from outside."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.recheck = asyncio.Event()
        self.restart = asyncio.Event()

    async def watch(self) -> None:
        """Ask again who it is, every minute and when told to.

        Raises:
            Closed: it is nobody any more.
        """
        restart = asyncio.create_task(self.restart.wait())
        try:
            while True:
                recheck = asyncio.create_task(self.recheck.wait())
                await asyncio.wait({restart, recheck}, timeout=CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                recheck.cancel()
                if restart.done():
                    raise Closed(RESTART, "Longshore is restarting")
                self.recheck.clear()
                access = await self.socket.credentials.access()
                if access is None or access.actor.user_id != self.socket.access.actor.user_id:
                    raise Closed(UNKNOWN, "signed out, or the token was revoked")
                # applications look at socket.access whenever they do something
                self.socket.access = access
                if self.socket.still_allowed is not None:
                    try:
                        self.socket.still_allowed(access)
                    except Refusal as refusal:
                        raise Closed(_code(refusal), refusal.detail) from None
        finally:
            restart.cancel()


async def _let_go(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _served(route: Route, socket: Socket, parts: Mapping[str, str], query: Mapping[str, str]) -> None:
    try:
        await route.serve(socket, parts, query)
    except Refusal as refusal:
        problem = {"code": refusal.code, "detail": refusal.detail, "params": refusal.params}
        socket.put("problem", **problem)
        raise Closed(_code(refusal), refusal.detail) from None


def _code(refusal: Refusal) -> int:
    if isinstance(refusal, Unavailable):
        return HOST_OFFLINE
    if isinstance(refusal, Denied):
        return DENIED
    if isinstance(refusal, NotFound):
        return NOT_FOUND
    if isinstance(refusal, Invalid):
        return BAD_MESSAGE
    return WRONG_STATE


def _query(route: Route, raw: bytes) -> dict[str, str]:
    found = parse_qs(raw.decode("latin-1"), keep_blank_values=True)
    if found.keys() & {"token", "access_token", "authorization"}:
        raise Closed(UNKNOWN, "a token is never sent in an address")
    if unknown := sorted(found.keys() - route.query):
        raise Closed(BAD_MESSAGE, f"unknown parameter {unknown[0][:40]}")
    return {name: values[-1] for name, values in found.items()}


async def _close(send: Send, closed: Closed) -> None:
    if closed.code == 0:
        return
    with contextlib.suppress(Exception):
        await send({"type": "websocket.close", "code": closed.code, "reason": closed.reason[:120]})
