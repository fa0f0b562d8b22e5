"""Every request has an id: in the answer, in problems, in the log and in the trail."""

import re
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponseBase

ACCEPTED = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


def request_id(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Take the caller's `X-Request-ID` if it is harmless, else make one."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        own = given if ACCEPTED.match(given) else uuid.uuid4().hex
        request.request_id = own  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=own):
            response = get_response(request)
        response["X-Request-ID"] = own
        return response

    return middleware
