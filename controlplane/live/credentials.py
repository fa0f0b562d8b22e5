"""Who opened a socket, asked again for as long as it is open.

A browser comes with its cookie and must come from our own pages: the Origin is compared whole, scheme, host and port. A
program comes with a bearer token and no Origin, and its cookies are not looked at. A token in a query is none.
"""

import hashlib
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any, Final

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from controlplane.accounts.authentication import bearer, session_access
from controlplane.accounts.selectors import access_of_token
from controlplane.common.access import Access
from controlplane.common.errors import Unauthenticated

Scope = dict[str, Any]

CHECK_SECONDS: Final = 60.0


class WrongOrigin(Exception):
    """A page of somebody else's wants to use our visitor's cookie."""


@dataclass(frozen=True)
class Credentials:
    """What a socket was opened with. One of session and token is set, or neither."""

    address: str
    session_key: str = ""
    token: str = ""

    @property
    def session_digest(self) -> str:
        """The session's name on the bus: never the key itself."""
        return hashlib.sha256(self.session_key.encode()).hexdigest() if self.session_key else ""

    async def access(self) -> Access | None:
        """What the holder may do now; None when it is nobody, or nobody any more."""
        access: Access | None = await database_sync_to_async(self._access)()
        return access

    def _access(self) -> Access | None:
        if self.token:
            try:
                token = bearer(f"Bearer {self.token}", self.address)
            except Unauthenticated:
                return None
            return access_of_token(token, address=self.address)
        if not self.session_key:
            return None
        store = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        request = HttpRequest()
        request.session = store
        return session_access(get_user(request), address=self.address)


def credentials_of(scope: Scope) -> Credentials:
    """Read a socket's credentials.

    Raises:
        WrongOrigin: a cookie's socket whose Origin is not ours, or is missing.
    """
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    address = str((scope.get("client") or ("", 0))[0])
    authorization = headers.get(b"authorization", "")
    kind, _, token = authorization.partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return Credentials(address, token=token.strip())
    if headers.get(b"origin", "") not in allowed_origins():
        raise WrongOrigin
    return Credentials(address, session_key=_session_key(headers.get(b"cookie", "")))


def allowed_origins() -> frozenset[str]:
    """The origins of our own pages."""
    return frozenset({settings.LONGSHORE_URL, *getattr(settings, "LONGSHORE_EXTRA_ORIGINS", ())})


def _session_key(cookies: str) -> str:
    try:
        morsel = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""
