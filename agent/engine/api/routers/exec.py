"""Exec: one more process in a container. Docker Engine API: ContainerExec, ExecStart, ExecResize, ExecInspect."""

import base64
from typing import Any, Protocol

from aiohttp import web

from agent.engine.api import params, versions
from agent.engine.api.answers import empty, reply
from agent.engine.api.hijack import Hijack, content_type, until_gone
from agent.engine.containers.io.attach import Client, keys
from agent.engine.containers.io.exec import CANNOT_RUN, Exec
from agent.engine.errors import Invalid
from agent.engine.state.records import ContainerRecord

KEYS = (
    "AttachStderr", "AttachStdin", "AttachStdout", "Cmd", "ConsoleSize", "Detach", "DetachKeys", "Env", "Privileged",
    "Tty", "User", "WorkingDir",
)  # fmt: skip


class Execs(Protocol):
    """What is needed of ``containers/io/exec``."""

    def create(self, record: ContainerRecord, wanted: Exec) -> Exec: ...
    def get(self, exec_id: str) -> Exec: ...
    def ready(self, exec_id: str) -> Exec: ...
    async def run(
        self, exec_: Exec, client: Client, size: tuple[int, int] | None = None, *, framed: bool | None = None
    ) -> None: ...
    async def run_detached(self, exec_: Exec) -> None: ...
    def resize(self, exec_id: str, rows: int, columns: int) -> None: ...


class Backend(Protocol):
    """What these routes need."""

    @property
    def execs(self) -> Execs: ...
    def lookup(self, ref: str) -> ContainerRecord: ...


def routes(backend: Backend) -> list[web.RouteDef]:
    """The table."""
    handlers = _Handlers(backend)
    return [
        web.post("/containers/{name}/exec", handlers.create),
        web.post("/exec/{id}/start", handlers.start),
        web.post("/exec/{id}/resize", handlers.resize),
        web.get("/exec/{id}/json", handlers.inspect),
    ]


class _Handlers:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def create(self, request: web.Request) -> web.StreamResponse:
        body = _canonical(await params.json_body(request))
        record = self._backend.lookup(request.match_info["name"])
        made = self._backend.execs.create(record, _wanted(body))
        return reply({"Id": made.id}, status=201)

    async def start(self, request: web.Request) -> web.StreamResponse:
        body = _canonical(await params.json_body(request, optional=True))
        execs = self._backend.execs
        exec_ = execs.ready(request.match_info["id"])
        if body.get("Detach"):
            await execs.run_detached(exec_)
            return empty(200)
        # The client says here how it will read, whatever it said when it made the exec.
        raw = bool(body.get("Tty"))
        hijack = Hijack(request, content_type(request, raw))
        async with hijack as connection:
            size = _size(body.get("ConsoleSize"))
            await until_gone(connection, execs.run(exec_, connection, size, framed=not raw))
        return hijack.answer

    async def resize(self, request: web.Request) -> web.StreamResponse:
        rows, columns = (params.integer(request, name, parser="Atoi", strict=True) for name in ("h", "w"))
        self._backend.execs.resize(request.match_info["id"], rows, columns)
        return empty(200)

    async def inspect(self, request: web.Request) -> web.StreamResponse:
        return reply(shown(self._backend.execs.get(request.match_info["id"]), request["version"]))


def _canonical(body: dict[str, Any]) -> dict[str, Any]:
    """The body under the API's own spelling of its keys: Go's clients and servers do not mind the case."""
    spelled = {key.lower(): key for key in KEYS}
    return {spelled.get(key.lower(), key): value for key, value in body.items()}


def _strings(body: dict[str, Any], key: str) -> tuple[str, ...]:
    value = body.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        raise Invalid(f"json: cannot unmarshal string into Go struct field ExecConfig.{key} of type []string")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Invalid(f"{key} must be a list of strings")
    return tuple(value)


def _wanted(body: dict[str, Any]) -> Exec:
    return Exec(
        id="",
        container_id="",
        argv=_strings(body, "Cmd"),
        env=_strings(body, "Env"),
        user=str(body.get("User") or ""),
        workdir=str(body.get("WorkingDir") or ""),
        tty=bool(body.get("Tty")),
        privileged=bool(body.get("Privileged")),
        stdin=bool(body.get("AttachStdin")),
        stdout=bool(body.get("AttachStdout")),
        stderr=bool(body.get("AttachStderr")),
        detach_keys=str(body.get("DetachKeys") or ""),
    )


def _size(value: Any) -> tuple[int, int] | None:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, int) and item > 0 for item in value):
        return value[0], value[1]
    return None


def shown(exec_: Exec, version: versions.Version) -> dict[str, Any]:
    """An exec's inspection. Up to API 1.41 (Docker 20.10) a program that is not there was 126 too, not 127."""
    old = exec_.refused and version <= versions.LAST_LENIENT
    process: dict[str, Any] = {
        "tty": exec_.tty,
        "entrypoint": exec_.argv[0],
        "arguments": list(exec_.argv[1:]),
        "privileged": exec_.privileged,
    }
    if exec_.user:
        process["user"] = exec_.user
    return {
        "ID": exec_.id,
        "Running": exec_.running,
        "ExitCode": CANNOT_RUN if old else exec_.exit_code,
        "ProcessConfig": process,
        "OpenStdin": exec_.stdin,
        "OpenStderr": exec_.stderr,
        "OpenStdout": exec_.stdout,
        "CanRemove": False,
        "ContainerID": exec_.container_id,
        "DetachKeys": base64.b64encode(keys(exec_.detach_keys) if exec_.detach_keys else b"").decode(),
        "Pid": exec_.pid,
    }
