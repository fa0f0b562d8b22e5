"""Refusals as `application/problem+json` (RFC 9457): the only place of the REST side that knows HTTP statuses."""

from collections.abc import Mapping
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from controlplane.common import errors as kinds
from controlplane.common.errors import FieldError, Refusal, field_error

MEDIA_TYPE = "application/problem+json"
STATUS: Mapping[type[Refusal], int] = {
    kinds.Invalid: 400,
    kinds.Unauthenticated: 401,
    kinds.Denied: 403,
    kinds.NotFound: 404,
    kinds.Conflict: 409,
    kinds.Gone: 410,
    kinds.PreconditionFailed: 412,
    kinds.KeyReused: 422,
    kinds.TooMany: 429,
    kinds.EngineFailed: 502,
    kinds.Unavailable: 503,
    kinds.NoSpace: 507,
}
TITLES: Mapping[int, str] = {
    400: "Invalid request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    410: "Gone",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unsupported media type",
    422: "Key reused",
    429: "Too many requests",
    500: "Server error",
    502: "Engine error",
    503: "Unavailable",
    507: "No space left",
}
log = structlog.get_logger(__name__)


def problem(status: int, code: str, detail: str, *, instance: str = "", **members: Any) -> dict[str, Any]:
    """The members of a problem document, in the order in which people read them."""
    return {
        "type": f"/problems/{code}/",
        "title": TITLES.get(status, "Refused"),
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "params": members.pop("params", {}),
        "errors": members.pop("errors", []),
        **members,
    }


def of_refusal(refusal: Refusal, instance: str = "") -> dict[str, Any]:
    """A refusal as a problem document."""
    status = next(STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS)
    extra = {"order": refusal.order} if refusal.order is not None else {}
    return problem(
        status, refusal.code, refusal.detail, instance=instance, params=refusal.params, errors=refusal.errors, **extra
    )


def as_refusal(error: Exception) -> Refusal | None:
    """Django's and REST framework's own errors as one of our kinds; None where that is not possible."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, exceptions.ValidationError):
        found = field_errors(error.detail)
        first = found[0]
        where = f"{first['pointer']}: " if first["pointer"] else ""
        return kinds.Invalid(f"{where}{first['detail']}", errors=found)
    if isinstance(error, exceptions.ParseError):
        return kinds.Invalid(str(error.detail), code="malformed")
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return kinds.Unauthenticated(str(error.detail), code=str(error.default_code))
    if isinstance(error, exceptions.PermissionDenied | PermissionDenied):
        return kinds.Denied(str(getattr(error, "detail", error)))
    if isinstance(error, Http404 | exceptions.NotFound):
        return kinds.NotFound("Not found, or you have no access")
    if isinstance(error, OperationalError):
        return kinds.Unavailable("The database does not answer; try again shortly", code="database", retry_after=5)
    return None


def field_errors(detail: Any, pointer: str = "") -> list[FieldError]:
    """REST framework's nested details as a flat list of pointers."""
    if isinstance(detail, Mapping):
        found = []
        for name, item in detail.items():
            inner = (
                pointer
                if name == "non_field_errors"
                else f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
            )
            found += field_errors(item, inner)
        return found
    if isinstance(detail, list):
        if any(isinstance(item, Mapping | list) for item in detail):
            return [found for n, item in enumerate(detail) if item for found in field_errors(item, f"{pointer}/{n}")]
        return [found for item in detail for found in field_errors(item, pointer)]
    return [field_error(pointer, getattr(detail, "code", "invalid"), str(detail))]


def handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """REST framework's exception handler: every error of a view ends here."""
    instance = getattr(context["request"], "request_id", "")
    headers: dict[str, str] = {}
    refusal = as_refusal(error)
    if refusal is not None:
        body = of_refusal(refusal, instance)
        if refusal.retry_after:
            headers["Retry-After"] = str(refusal.retry_after)
    elif isinstance(error, exceptions.APIException):
        body = problem(error.status_code, str(error.default_code), str(error.detail), instance=instance)
    else:
        body = _unexpected(error, instance)
    if body["status"] == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="longshore"'
    return Response(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def _unexpected(error: Exception, instance: str) -> dict[str, Any]:
    kind = "database" if isinstance(error, DatabaseError) else "bug"
    log.error("request failed", kind=kind, exc_info=error)
    return problem(500, "server_error", f"Longshore failed; the log has it under {instance}", instance=instance)


def response(request: HttpRequest, body: dict[str, Any]) -> HttpResponse:
    """A problem outside of REST framework."""
    body["instance"] = getattr(request, "request_id", "")
    return JsonResponse(body, status=body["status"], content_type=MEDIA_TYPE)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW, for sign-in; REST views check by themselves."""
    return response(request, problem(403, "csrf_failed", f"CSRF check failed: {reason or 'no valid token'}"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    return response(request, problem(400, "invalid", "The request cannot be read"))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return response(request, problem(403, "denied", "Not allowed"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return response(request, problem(404, "not_found", "No such address"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""
    return response(request, problem(500, "server_error", "Longshore failed; the log has it under this request's id"))
