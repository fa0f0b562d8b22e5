"""``/images`` and ``/commit``: Docker Engine API ImageList … ImagePrune, ImageCommit."""

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol

from aiohttp import web

from agent.engine import shapes
from agent.engine.api import params, progress, versions
from agent.engine.api.answers import empty, reply
from agent.engine.api.pruning import matcher, moment_ns
from agent.engine.build.changes import apply_changes
from agent.engine.errors import EngineError, Invalid, NotFound, System
from agent.engine.images.listing import ALLOWED, boolean
from agent.engine.images.manifests import parse_platform
from agent.engine.images.merging import merge
from agent.engine.images.shapes import unix_seconds
from agent.engine.images.store import Image
from agent.engine.registry.keychain import Credentials
from agent.engine.registry.search import DEFAULT_LIMIT
from agent.engine.state.records import ContainerRecord

Json = dict[str, Any]
PRUNE_FILTERS = frozenset({"dangling", "label", "label!", "until"})
SEARCH_FILTERS = frozenset({"is-automated", "is-official", "stars"})
_FILTER_SINCE = (1, 41)


class Backend(Protocol):
    """What these routes need of ``ImageService``."""

    def select(self, filters: params.Filters, *, all_: bool) -> Sequence[Image]: ...
    def rows(
        self, images: Sequence[Image], version: tuple[int, int], *, shared: bool = False, containers: bool = False
    ) -> Sequence[Json]: ...
    def inspect(self, ref: str, version: tuple[int, int]) -> Json: ...
    def history(self, ref: str) -> Sequence[Json]: ...
    async def pull(
        self, ref: str, platform: str, auth: Credentials | None, progress: Callable[[Json], None]
    ) -> Image: ...
    async def pull_all_tags(
        self, name: str, platform: str, auth: Credentials | None, progress: Callable[[Json], None]
    ) -> None: ...
    async def search(self, term: str, limit: int, auth: Credentials | None) -> Sequence[Json]: ...
    def download(self, url: str, progress: Callable[[Json], None]) -> AsyncIterator[bytes]: ...
    async def push(self, name: str, tag: str, auth: Credentials | None, progress: Callable[[Json], None]) -> None: ...
    async def import_image(
        self, chunks: AsyncIterable[bytes], *, name: str, tag: str, change: Callable[[Json], Json], message: str = ""
    ) -> Image: ...
    async def load(self, chunks: AsyncIterable[bytes], progress: Callable[[Json], None]) -> None: ...
    def save(self, refs: Sequence[str]) -> AsyncIterator[bytes]: ...
    async def tag(self, ref: str, name: str, tag: str) -> None: ...
    async def commit(
        self, container: ContainerRecord, *, config: Json, name: str, tag: str, author: str = "", comment: str = ""
    ) -> Image: ...
    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> Sequence[Json]: ...
    async def prune(
        self, *, dangling: bool, matches: Callable[[dict[str, str], int], bool]
    ) -> tuple[Sequence[Json], int]: ...


class Containers(Protocol):
    """What commit needs of ``ContainerService``."""

    def lookup(self, ref: str) -> ContainerRecord: ...
    def frozen(self, ref: str) -> AbstractAsyncContextManager[None]: ...


def routes(backend: Backend, containers: Containers) -> list[web.RouteDef]:
    """The table."""
    handlers = _Handlers(backend, containers)
    return [
        web.get("/images/json", handlers.list),
        web.get("/images/search", handlers.search),
        web.get("/images/get", handlers.save),
        web.post("/images/load", handlers.load),
        web.post("/images/create", handlers.create),
        web.post("/images/prune", handlers.prune),
        web.get("/images/{name:.*}/get", handlers.save),
        web.get("/images/{name:.*}/json", handlers.inspect),
        web.get("/images/{name:.*}/history", handlers.history),
        web.post("/images/{name:.*}/push", handlers.push),
        web.post("/images/{name:.*}/tag", handlers.tag),
        web.delete("/images/{name:.*}", handlers.remove),
        web.post("/commit", handlers.commit),
    ]


class _Handlers:
    def __init__(self, backend: Backend, containers: Containers) -> None:
        self._backend, self._containers = backend, containers

    async def list(self, request: web.Request) -> web.Response:
        given = params.filters(request, allowed=ALLOWED)
        if request["version"] < _FILTER_SINCE and request.query.get("filter"):
            given.setdefault("reference", []).append(request.query["filter"])
        before = [moment_ns(value, time.time_ns()) for value in given.get("until", ())]
        images = [
            image
            for image in self._backend.select(given, all_=params.flag(request, "all"))
            if all(unix_seconds(image.created) * 10**9 < moment for moment in before)
        ]
        shared = params.flag(request, "shared-size")
        return reply(self._backend.rows(images, request["version"], shared=shared))

    async def search(self, request: web.Request) -> web.Response:
        given = params.filters(request, allowed=SEARCH_FILTERS)
        stars = max((_stars(value) for value in given.get("stars", [])), default=0)
        automated, official = boolean(given, "is-automated"), boolean(given, "is-official")
        limit = params.integer(request, "limit", parser="Atoi") or DEFAULT_LIMIT
        auth = Credentials.of(params.registry_auth(request))
        found = [] if automated else await self._backend.search(request.query.get("term", ""), limit, auth)
        return reply([row for row in found if row["star_count"] >= stars and official in (None, row["is_official"])])

    async def inspect(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        try:
            return reply(self._backend.inspect(name, request["version"]))
        except (NotFound, Invalid) as error:
            if request["version"] <= versions.LAST_LENIENT:
                raise type(error)(f"no such image: {name}: {error}") from error
            raise

    async def history(self, request: web.Request) -> web.Response:
        return reply(self._backend.history(request.match_info["name"]))

    async def create(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if query.get("fromImage") or not query.get("fromSrc"):
            return await self._pull(request, query.get("fromImage", ""), query.get("tag", ""))
        source = query["fromSrc"]

        async def work(report: progress.Progress) -> None:
            image = await self._backend.import_image(
                request.content.iter_any() if source == "-" else self._backend.download(source, report),
                name=query.get("repo", ""),
                tag=query.get("tag", ""),
                change=lambda base: apply_changes(base, query.getall("changes", [])),
                message=query.get("message") or f"Imported from {source}",
            )
            report({"status": image.id})

        return await progress.run(request, _as_system(work))

    async def _pull(self, request: web.Request, name: str, tag: str) -> web.StreamResponse:
        if not name:
            raise Invalid("fromImage or fromSrc is missing")
        auth = Credentials.of(params.registry_auth(request))
        platform = request.query.get("platform", "")
        parse_platform(platform)
        bare = "@" not in name and ":" not in name.rpartition("/")[2]
        if tag:
            base = name.partition("@")[0]
            base = base if bare else base.rpartition(":")[0] if ":" in base.rpartition("/")[2] else base
            ref = f"{base}@{tag}" if ":" in tag else f"{base}:{tag}"
        if not tag and bare:
            return await progress.run(request, lambda report: self._backend.pull_all_tags(name, platform, auth, report))
        wanted = ref if tag else name
        return await progress.run(request, lambda report: self._backend.pull(wanted, platform, auth, report))

    async def push(self, request: web.Request) -> web.StreamResponse:
        auth = Credentials.of(params.registry_auth(request))
        name, tag = request.match_info["name"], request.query.get("tag", "")
        return await progress.run(request, lambda report: self._backend.push(name, tag, auth, report))

    async def load(self, request: web.Request) -> web.StreamResponse:
        chunks = request.content.iter_any()
        return await progress.run(request, lambda report: self._backend.load(chunks, report), at_once=True)

    async def save(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("name")
        chunks = self._backend.save([name] if name else request.query.getall("names", []))
        response = web.StreamResponse(headers={"Content-Type": "application/x-tar"})
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
        return response

    async def tag(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            await self._backend.tag(request.match_info["name"], query.get("repo", ""), query.get("tag", ""))
        except Invalid as error:
            if request["version"] <= versions.LAST_LENIENT:
                raise System(str(error)) from error
            raise
        return empty(201)

    async def remove(self, request: web.Request) -> web.Response:
        rows = await self._backend.remove(
            request.match_info["name"],
            force=params.flag(request, "force"),
            prune=not params.flag(request, "noprune"),
        )
        return reply(rows)

    async def prune(self, request: web.Request) -> web.Response:
        given = params.filters(request, allowed=PRUNE_FILTERS)
        rows, freed = await self._backend.prune(
            dangling=boolean(given, "dangling") is not False, matches=matcher(given)
        )
        return reply({"ImagesDeleted": rows or None, "SpaceReclaimed": freed})

    async def commit(self, request: web.Request) -> web.Response:
        body = await params.json_body(request, shapes.CONFIG, optional=True)
        query = request.query
        if not query.get("container"):
            raise Invalid('invalid name or ID supplied: ""')
        record = self._containers.lookup(query["container"])
        config = apply_changes(body or record.config, query.getall("changes", []))
        pausing = params.flag(request, "pause", default=True) and record.state.status == "running"
        async with self._containers.frozen(record.id) if pausing else nullcontext():
            image = await self._backend.commit(
                record,
                config=merge(config, record.config),
                name=query.get("repo", ""),
                tag=query.get("tag", ""),
                author=query.get("author", ""),
                comment=query.get("comment", ""),
            )
        return reply({"Id": image.id}, status=201)


def _stars(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise Invalid(f"Invalid filter 'stars={value}'") from None


def _as_system(work: Callable[[progress.Progress], Any]) -> Callable[[progress.Progress], Any]:
    """An archive that is none is a 500 for dockerd; a name that is none stays a 400."""

    async def wrapped(report: progress.Progress) -> None:
        try:
            await work(report)
        except EngineError as error:
            if isinstance(error, Invalid) and str(error).startswith("Error processing tar file"):
                raise System(str(error)) from error
            raise

    return wrapped
