"""Questions that only the host can answer: inspect, top, logs, execs. And the history, which the records answer."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import ratelimit, readings, rights
from controlplane.common.errors import EngineFailed, NotFound, Unavailable, invalid_field
from controlplane.common.serializers import Query, Strict
from controlplane.common.views import ApiView, Operation
from controlplane.containers import execs, history, loglines
from controlplane.containers.models import Container
from controlplane.containers.selectors import container_for, container_get
from controlplane.containers.spec import masked_env
from controlplane.gateway import dial
from controlplane.orders.wait import LONGEST, seconds_of


class Inspect(serializers.Serializer[Any]):
    """The engine's own JSON; `live` is false for the stored copy of a host that is away."""

    observed_at = serializers.DateTimeField(allow_null=True)
    live = serializers.BooleanField()
    inspect = serializers.DictField()


class TopQuery(Query):
    """Parameters of top."""

    ps_args = serializers.RegexField(r"^[a-zA-Z0-9 ,=_-]{0,100}$", required=False)


class Top(serializers.Serializer[Any]):
    """Processes, as `ps` on the host lists them."""

    titles = serializers.ListField(child=serializers.CharField())
    processes = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class LogsQuery(Query):
    """Parameters of logs."""

    since = serializers.CharField(max_length=40, required=False, help_text="RFC 3339")
    until = serializers.CharField(max_length=40, required=False, help_text="RFC 3339")
    tail = serializers.IntegerField(min_value=0, required=False)
    stream = serializers.ChoiceField(choices=["stdout", "stderr"], required=False)
    search = serializers.CharField(max_length=255, required=False)
    format = serializers.ChoiceField(choices=["text", "ndjson"], default="text")
    timestamps = serializers.BooleanField(default=False)
    download = serializers.BooleanField(default=False)


class ExecBody(Strict):
    """Body of POST execs/."""

    command = serializers.ListField(child=serializers.CharField(max_length=4096, trim_whitespace=False), min_length=1)
    user = serializers.CharField(max_length=64, required=False, allow_blank=True)
    dir = serializers.CharField(max_length=4096, required=False, allow_blank=True)
    env = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    tty = serializers.BooleanField(default=False)
    cols = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    rows = serializers.IntegerField(min_value=1, max_value=1000, required=False)


class ExecSession(serializers.Serializer[Any]):
    """A session that waits for `/ws/containers/{id}/exec?exec=`."""

    id = serializers.CharField()


class ExecResult(serializers.Serializer[Any]):
    """With `Prefer: wait` and no terminal: what it wrote and how it ended."""

    id = serializers.CharField()
    exit_code = serializers.IntegerField(allow_null=True)
    output = serializers.CharField()
    stderr = serializers.CharField()
    truncated = serializers.BooleanField()


class HistoryItem(serializers.Serializer[Any]):
    """An order or an event."""

    at = serializers.DateTimeField()
    type = serializers.ChoiceField(choices=["order", "event"])
    id = serializers.UUIDField()
    action = serializers.CharField()
    op = serializers.CharField(required=False)
    state = serializers.CharField(required=False)
    actor = serializers.DictField(allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    order = serializers.UUIDField(allow_null=True)


class History(serializers.Serializer[Any]):
    """Newest first, at most 200."""

    results = HistoryItem(many=True)


class InspectView(ApiView):
    """The engine's JSON."""

    operations = {"GET": Operation(rights.CONTAINERS_VIEW, "The engine's own JSON", response=Inspect)}

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Now; while the host is away, the stored copy. Environment is masked without `secrets.read`."""
        container = container_get(self.access, id)
        stored = container.inspect
        try:
            told, live = _engine(container, "json").json(), True
        except (Unavailable, NotFound):
            if stored is None:
                raise
            told, live = stored, False
        if not isinstance(told, dict):
            raise EngineFailed("The engine's answer is not an object")
        if not self.access.on(rights.SECRETS_READ, container.host_id) and isinstance(told.get("Config"), dict):
            told = {**told, "Config": {**told["Config"], "Env": masked_env(told["Config"].get("Env"))}}
        return Response({"observed_at": None if live else container.observed_at, "live": live, "inspect": told})


class TopView(ApiView):
    """Processes."""

    operations = {"GET": Operation(rights.CONTAINERS_VIEW, "Processes of a container", query=TopQuery, response=Top)}

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Asked of the host now; 503 while it is away."""
        container = container_for(self.access, id, rights.CONTAINERS_VIEW)
        told = _engine(container, "top", query=self.query).json() or {}
        return Response({"titles": told.get("Titles") or [], "processes": told.get("Processes") or []})


class LogsView(ApiView):
    """Log lines, streamed."""

    operations = {
        "GET": Operation(
            rights.CONTAINERS_LOGS, "Log of a container", query=LogsQuery, response=OpenApiTypes.STR,
            media_type="text/plain",
        )
    }  # fmt: skip

    def get(self, request: Request, id: uuid.UUID) -> Any:
        """Text or newline-delimited JSON; never held in memory as a whole."""
        container = container_for(self.access, id, rights.CONTAINERS_LOGS)
        _must_exist(container)
        query = self.query
        if query.get("search") or query["download"]:
            self.limits |= ratelimit.spend(f"{self.access.actor.id}:logs", ratelimit.DEAR)
        asked: dict[str, Any] = {
            "stdout": query.get("stream") != "stderr",
            "stderr": query.get("stream") != "stdout",
            "timestamps": True,
            "tail": query.get("tail", "all"),
        }
        for name in ("since", "until"):
            if name in query:
                asked[name] = _time(query[name], name)
        path = f"/containers/{container.engine_id}/logs"
        opened = dial.from_thread(
            dial.open_stream(container.host_id, "GET", path, query=asked), dial.ANSWER_SECONDS + 5
        )
        if opened.status >= 400:
            dial.from_thread(opened.close(), 5)
            raise dial.engine_refusal(opened.status, f"The engine has no log of {container.name}")
        tty = bool(((container.inspect or {}).get("Config") or {}).get("Tty"))
        media = "application/x-ndjson" if query["format"] == "ndjson" else "text/plain; charset=utf-8"
        response = StreamingHttpResponse(_written(opened, query, tty=tty), content_type=media)
        if query["download"]:
            suffix = "ndjson" if query["format"] == "ndjson" else "log"
            response["Content-Disposition"] = f'attachment; filename="{container.name}.{suffix}"'
        response["X-Accel-Buffering"] = "no"
        return response


async def _written(opened: dial.HostStream, query: dict[str, Any], *, tty: bool) -> AsyncIterator[bytes]:
    lines = loglines.LogLines(tty=tty)
    wanted = query["search"].encode() if query.get("search") else None

    def render(found: Iterator[tuple[str, bytes]]) -> bytes:
        parts = []
        for stream, line in found:
            if wanted is not None and wanted not in line.partition(b" ")[2]:
                continue
            if query["format"] == "ndjson":
                parts.append(loglines.as_json(stream, line))
            else:
                parts.append(loglines.as_text(line, timestamps=query["timestamps"]))
        return b"".join(parts)

    try:
        async for chunk in opened.chunks():
            text = render(lines.feed(chunk))
            if text:
                yield text
        yield render(lines.end())
    finally:
        await opened.close()


class ExecsView(ApiView):
    """Run a program."""

    operations = {
        "POST": Operation(
            rights.CONTAINERS_EXEC, "Run a program in a container", body=ExecBody, status=201,
            response=PolymorphicProxySerializer("ExecAnswer", [ExecSession, ExecResult], resource_type_field_name=None),
            action="container.exec", atomic=False, example={"command": ["ls", "-l"]},
        )
    }  # fmt: skip

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """A session for a socket; with `Prefer: wait` and without a terminal, its output."""
        container = container_get(self.access, id)
        self.note(container, details={"command": self.body["command"]})
        container = container_for(self.access, id, rights.CONTAINERS_EXEC)
        _must_exist(container)
        exec_id = execs.exec_create(container=container, body=self.body)
        seconds = min(seconds_of(request.headers.get("Prefer", "")), LONGEST)
        if not seconds or self.body["tty"]:
            return Response({"id": exec_id}, status=201)
        result = execs.exec_wait(container=container, exec_id=exec_id, seconds=seconds)
        return Response(result, headers={"Preference-Applied": f"wait={seconds}"})


class HistoryView(ApiView):
    """Orders and events of one container."""

    operations = {"GET": Operation(rights.CONTAINERS_VIEW, "Orders and events of a container", response=History)}

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Newest first."""
        container = container_get(self.access, id)
        return Response(History({"results": history.of(container)}).data)


def _engine(container: Container, what: str, query: dict[str, Any] | None = None) -> dial.Answer:
    _must_exist(container)
    return dial.call(container.host_id, "GET", f"/containers/{container.engine_id}/{what}", query=query)


def _must_exist(container: Container) -> None:
    if not container.engine_id:
        raise Unavailable(f"{container.name} is not there yet", code="not_created", retry_after=2)


def _time(text: str, name: str) -> str:
    found = readings.nanoseconds(text)
    if not found:
        raise invalid_field(f"/{name}", "bad_time", f"{name} must be a time as 2026-01-31T12:00:00Z")
    return loglines.unix_time(found)
