"""The base of every REST view: a table of operations, and what holds for all of them.

Each method of a view is declared once: its right, its parameters, its body, its answer, the order it makes. From that
table come the rights check, strict validation, the trail, idempotency and the OpenAPI document.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.common import idempotency, ratelimit
from controlplane.common.access import Access
from controlplane.common.errors import Invalid
from controlplane.common.problems import as_refusal
from controlplane.common.serializers import Query, Strict

log = structlog.get_logger(__name__)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Operation:
    """One method of one view.

    Attributes:
        right: a right of `rights.py`, or PUBLIC or SELF of `permissions.py`.
        summary: one line for the document.
        query: its parameters; none are allowed without it.
        body: the request's body; none is read without it.
        response: the answer's serializer; None for an empty answer.
        many: the answer is a list in pages.
        status: of a success.
        order: the op of the order that it makes.
        action: the word in the trail; every unsafe operation has one.
        atomic: run in one transaction with the trail; a view that waits for a host must not.
        limit: requests a minute of one actor.
        example: a body that works.
        media_type: of the answer, where it is not JSON.
    """

    right: str
    summary: str
    query: type[Query] | None = None
    body: type[Strict] | None = None
    response: Any = None
    many: bool = False
    status: int = 200
    order: str = ""
    action: str = ""
    atomic: bool = True
    limit: int = ratelimit.PER_TOKEN
    example: Any = None
    media_type: str = "application/json"


@dataclass
class Note:
    """What one row of the trail says of an action's object."""

    target_type: str = ""
    target_id: str = ""
    target_name: str = ""
    host_id: uuid.UUID | None = None
    host_name: str = ""
    order_id: uuid.UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)
    refused: str = ""  # the code, where this one of several was refused


class Trail(Protocol):
    """Writes rows of the trail; `settings.LONGSHORE_TRAIL` names it, because the trail builds on this package."""

    def __call__(self, *, access: Access, action: str, note: Note, refused: str = "") -> None:
        """Add one row."""
        ...


def method_of(request: Any) -> str:
    """The method whose operation a request is: HEAD is GET without its body."""
    return "GET" if request.method == "HEAD" else str(request.method)


class ApiView(APIView):
    """A REST view whose methods are in `operations`."""

    operations: Mapping[str, Operation] = {}
    request: Request

    @property
    def operation(self) -> Operation:
        """The operation of this request."""
        return self.operations[method_of(self.request)]

    @property
    def atomic(self) -> bool:
        """Whether this request runs in one transaction with its row of the trail; not while it waits for a host."""
        return self.operation.atomic

    @property
    def access(self) -> Access:
        """Who asks, and what that actor may do."""
        return cast("Access", self.request.auth)

    @property
    def query(self) -> dict[str, Any]:
        """The validated query parameters."""
        return self._query

    @property
    def body(self) -> dict[str, Any]:
        """The validated body."""
        return self._body

    def note(
        self,
        target: Any = None,
        *,
        host: Any = None,
        order: Any = None,
        details: dict[str, Any] | None = None,
        refused: str = "",
    ) -> None:
        """Say what the action is about: one row of the trail a call, a bare one if it is never called."""
        host = host if host is not None else getattr(target, "host", None)
        self._notes.append(
            Note(
                target_type=type(target).__name__.lower() if target is not None else "",
                target_id=str(target.pk) if target is not None else "",
                target_name=str(target) if target is not None else "",
                host_id=host.pk if host is not None else None,
                host_name=str(host) if host is not None else "",
                order_id=order.pk if order is not None else None,
                details=details or {},
                refused=refused,
            )
        )

    def renote(self, target: Any, **about: Any) -> None:
        """Say it anew, now that there is an order: the row that was noted for a refusal gives way."""
        self._notes.clear()
        self.note(target, **about)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """REST framework's dispatch, with the action run inside idempotency, transaction and trail."""
        self.args, self.kwargs = args, kwargs
        self._notes: list[Note] = []
        self.limits: dict[str, str] = {}
        wrapped = self.initialize_request(request, *args, **kwargs)
        self.request, self.headers = wrapped, self.default_response_headers
        try:
            self.initial(wrapped, *args, **kwargs)
            response = self._run(lambda: self._handler()(wrapped, *args, **kwargs))
        except Exception as error:
            self._refused(error)
            response = self.handle_exception(error)
        for name, value in self.limits.items():
            response[name] = value
        self.response = self.finalize_response(wrapped, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who, how often, whether, and with what parameters."""
        if method_of(request) not in self.operations:
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, Access) and request.auth.token_id:
            kind = "" if self.operation.limit == ratelimit.PER_TOKEN else f":{type(self).__name__}"
            self.limits = ratelimit.spend(f"{request.auth.token_id}{kind}", self.operation.limit)
        query = (self.operation.query or Query)(data=request.query_params)
        query.is_valid(raise_exception=True)
        self._query = dict(query.validated_data)
        self._body = {}
        if self.operation.body is not None:
            body = self.operation.body(data=request.data, context={"access": request.auth})
            body.is_valid(raise_exception=True)
            self._body = dict(body.validated_data)
        elif request.method not in SAFE and request.META.get("CONTENT_LENGTH", "0") not in {"", "0"} and request.data:
            raise Invalid("This takes no body", code="unexpected_body")

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> Any:
        """Never reached for a declared operation: the permission class names what is missing."""
        self.http_method_not_allowed(request)

    def _handler(self) -> Callable[..., Response]:
        return cast("Callable[..., Response]", getattr(self, method_of(self.request).lower()))

    def _run(self, action: Callable[[], Response]) -> Response:
        if self.request.method in SAFE or not isinstance(self.request.auth, Access):
            return action()

        def audited() -> Response:
            response = action()
            for note in self._notes or [Note()]:
                self._write(note, note.refused)
            return response

        if not self.atomic:
            response = action()
            with transaction.atomic():
                for note in self._notes or [Note()]:
                    self._write(note, note.refused)
            return response
        return idempotency.once(self.request, self.access.actor.id, audited)

    def _refused(self, error: Exception) -> None:
        """One row for a refused action, written after its transaction was rolled back."""
        auth = getattr(self.request, "_auth", None)
        operation = self.operations.get(method_of(self.request))
        if operation is None or not operation.action or not isinstance(auth, Access):
            return
        refusal = as_refusal(error)
        told = str(error.default_code) if isinstance(error, APIException) else "server_error"
        code = refusal.code if refusal is not None else told
        note = self._notes[0] if self._notes else Note(target_id=str(self.kwargs.get("id", "")))
        note.order_id = None
        try:
            with transaction.atomic():
                self._write(note, code)
        except DatabaseError as failure:
            # The refusal itself still reaches the client; without a database nothing was done anyway.
            log.error("refusal not in the trail", action=operation.action, code=code, exc_info=failure)

    def _write(self, note: Note, refused: str) -> None:
        trail = cast("Trail", import_string(settings.LONGSHORE_TRAIL))
        trail(access=self.access, action=self.operation.action, note=note, refused=refused)
