"""The error tree of the control plane: services raise kinds, `problems.py` turns them into answers.

Refusal
  Invalid             what was asked makes no sense; `errors` points at the fields
  Unauthenticated     nobody, or nobody known
  Denied              known and visible, but not allowed; names the right
  NotFound            not there, or not for this actor's eyes
  Conflict            the object's state or another's name is in the way
  Gone                was there once
  PreconditionFailed  `If-Match` names another version
  KeyReused           an Idempotency-Key with another request
  TooMany             slow down; `retry_after` seconds
  EngineFailed        the host's engine answered with an error of its own
  Unavailable         something this needs is away for now; `retry_after` seconds
  NoSpace             a disk is full
"""

from collections.abc import Sequence
from typing import Any, TypedDict


class FieldError(TypedDict):
    """One field that is wrong: a JSON pointer into the request's body, or `?name` for a query parameter."""

    pointer: str
    code: str
    detail: str
    params: dict[str, Any]


class Refusal(Exception):
    """Why a request was not carried out.

    Args:
        detail: what, which object, what to do about it; shown to people.
        code: stable word for programs; the class has a general one.
        params: values of the sentence, for a client that writes it in another language.
        errors: the fields that are wrong.
        order: the order that this is the end of, as JSON.
    """

    code = "refused"

    def __init__(
        self,
        detail: str,
        *,
        code: str = "",
        params: dict[str, Any] | None = None,
        errors: Sequence[FieldError] = (),
        order: dict[str, Any] | None = None,
        retry_after: int = 0,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.params = params or {}
        self.errors = list(errors)
        self.order = order
        self.retry_after = retry_after


class Invalid(Refusal):
    """The request makes no sense."""

    code = "invalid"


class Unauthenticated(Refusal):
    """No credentials, or none that hold."""

    code = "not_authenticated"


class Denied(Refusal):
    """The actor may see the object but not do this."""

    code = "denied"


class NotFound(Refusal):
    """No such object, or none that the actor may see."""

    code = "not_found"


class Conflict(Refusal):
    """The state of an object forbids it."""

    code = "conflict"


class Gone(Refusal):
    """The object was removed."""

    code = "gone"


class PreconditionFailed(Refusal):
    """The object is at another version than `If-Match` names."""

    code = "version_changed"


class KeyReused(Refusal):
    """An idempotency key came with another request."""

    code = "idempotency_key_reused"


class TooMany(Refusal):
    """Too many requests."""

    code = "too_many_requests"


class EngineFailed(Refusal):
    """The engine of a host refused or broke."""

    code = "engine_failed"


class Unavailable(Refusal):
    """Something needed is away for now."""

    code = "unavailable"


class NoSpace(Refusal):
    """A disk is full."""

    code = "no_space"


def field_error(pointer: str, code: str, detail: str, **params: Any) -> FieldError:
    """One entry of `errors`."""
    return {"pointer": pointer, "code": code, "detail": detail, "params": params}


def invalid_field(pointer: str, code: str, detail: str, **params: Any) -> Invalid:
    """A refusal because of one field."""
    return Invalid(detail, errors=[field_error(pointer, code, detail, **params)])
