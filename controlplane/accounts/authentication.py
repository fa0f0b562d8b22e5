"""Who asks: a session with its CSRF token, or `Authorization: Bearer ls_…`; never both in one request."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.request import Request

from controlplane.accounts import tokens
from controlplane.accounts.models import ApiToken, User
from controlplane.accounts.selectors import access_of_token, access_of_user, may_come_from
from controlplane.accounts.services import token_used
from controlplane.common.access import Access
from controlplane.common.errors import Denied, Unauthenticated


class Authentication(BaseAuthentication):
    """The REST side's only way in; sets `request.auth` to an Access."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """See the module.

        Raises:
            Unauthenticated: the credentials do not hold, or there are two kinds.
            Denied: the CSRF token is missing or wrong.
        """
        django_request = request._request
        header = request.headers.get("Authorization", "")
        user = getattr(django_request, "user", AnonymousUser())
        if not isinstance(user, User) or not user.is_active:
            user = None
        if header:
            if user is not None:
                raise Unauthenticated("Send a session cookie or a token, not both", code="two_credentials")
            token = bearer(header, remote_address(django_request))
            return token.user, access_of_token(token, **_origin(django_request))
        if user is None:
            return None
        _check_csrf(django_request)
        return user, access_of_user(user, **_origin(django_request))

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return 'Bearer realm="longshore"'


def bearer(header: str, address: str) -> ApiToken:
    """The token of an Authorization header, also for sockets.

    Raises:
        Unauthenticated: no token of ours, ended, from a wrong place, or its owner may not come in.
    """
    kind, _, text = header.partition(" ")
    text = text.strip()
    if kind.lower() != "bearer" or not tokens.well_formed(text):
        raise Unauthenticated("This is no token of Longshore's", code="bad_token")
    token = ApiToken.objects.select_related("user").filter(digest=tokens.digest(text)).first()
    if token is None or not token.user.is_active:
        raise Unauthenticated("This token does not exist, or was revoked", code="bad_token")
    if token.expires_at is not None and token.expires_at <= timezone.now():
        raise Unauthenticated("This token has expired: create a new one", code="token_expired")
    if not may_come_from(token, address):
        raise Unauthenticated("This token may not be used from this address", code="token_address")
    token_used(token=token, address=address)
    return token


def session_access(user: Any, *, address: str = "", request_id: str = "") -> Access | None:
    """The access of a session's user, for sockets; None when nobody is signed in."""
    if isinstance(user, User) and user.is_active:
        return access_of_user(user, address=address, request_id=request_id)
    return None


def remote_address(request: HttpRequest) -> str:
    """The connection's own address: a header that anybody can write decides nothing."""
    return str(request.META.get("REMOTE_ADDR", ""))


def _origin(request: HttpRequest) -> dict[str, str]:
    return {"address": remote_address(request), "request_id": getattr(request, "request_id", "")}


class _HeaderOnly(CSRFCheck):
    """Django's check without its look into the form: that would use up a multipart body before its parser sees it."""

    def _check_token(self, request: HttpRequest) -> None:
        if hasattr(request, "_post"):
            super()._check_token(request)  # type: ignore[misc]
            return
        request._post = QueryDict()  # type: ignore[attr-defined]
        try:
            super()._check_token(request)  # type: ignore[misc]
        finally:
            del request._post  # type: ignore[attr-defined]


def _check_csrf(request: HttpRequest) -> None:
    check = _HeaderOnly(lambda _request: HttpResponse())
    check.process_request(request)
    reason = check.process_view(request, HttpResponse, (), {})
    if reason:
        raise Denied(f"CSRF check failed: {reason}", code="csrf_failed")
