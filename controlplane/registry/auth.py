"""Who may do what at `/v2/`: Docker's token endpoint, and the check of a token on every request."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

from channels.db import database_sync_to_async

from controlplane.common import rights
from controlplane.common.access import Access
from controlplane.registry import tokens
from controlplane.registry.errors import RegistryError
from controlplane.registry.http import LARGEST_FORM, Request, Response
from controlplane.registry.names import is_name

# Takes user name, password or API token, and client address; None for wrong ones. Raises common.errors.TooMany.
Authenticator = Callable[[str, str, str], Access | None]

# A right -> the actions on a repository that it gives.
ACTIONS = {
    rights.REGISTRY_PULL: frozenset({"pull"}),
    rights.REGISTRY_PUSH: frozenset({"push"}),
    rights.REGISTRY_MANAGE: frozenset({"delete"}),
}


@dataclass(frozen=True)
class Guard:
    """The check of one application."""

    authenticate: Authenticator

    async def token(self, request: Request) -> Response:
        """GET or POST `/v2/token`: a token with what was asked for and the actor has.

        Raises:
            RegistryError: UNAUTHORIZED, wrong name or password.
        """
        username, password, scopes = await _credentials(request)
        if not username or not password:
            raise RegistryError("UNAUTHORIZED", "authentication required", headers=BASIC)
        access = await database_sync_to_async(self.authenticate)(username, password, request.client)
        if access is None:
            raise RegistryError("UNAUTHORIZED", "incorrect username or password", headers=BASIC)
        granted = allowed(access, scopes)
        token = tokens.sign(access.actor.id, access.actor.name, granted)
        issued_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        body = {"token": token, "access_token": token, "expires_in": tokens.LIFE_SECONDS, "issued_at": issued_at}
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return Response(200, headers, json.dumps(body).encode())

    def check(self, request: Request, action: str = "", name: str = "", kind: str = "repository") -> tokens.Grant:
        """Let a request pass if its token allows one action; no action means that any token will do.

        Raises:
            RegistryError: UNAUTHORIZED with the challenge that tells the client which scope to ask for.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        scope = f"{kind}:{name}:{_asked(action)}" if action and (kind != "repository" or is_name(name)) else ""
        if scheme.lower() != "bearer" or not token.strip():
            raise RegistryError("UNAUTHORIZED", "authentication required", headers=_challenge(scope))
        try:
            grant = tokens.verify(token.strip())
        except tokens.BadToken:
            headers = _challenge(scope, "invalid_token")
            raise RegistryError("UNAUTHORIZED", "invalid or expired token", headers=headers) from None
        if action and not grant.allows(action, name, kind):
            headers = _challenge(scope, "insufficient_scope")
            message = "requested access to the resource is denied"
            detail = [{"Type": kind, "Name": name, "Action": action}]
            raise RegistryError("DENIED", message, detail=detail, headers=headers, status=401)
        return grant


BASIC = {"WWW-Authenticate": 'Basic realm="longshore"'}


def allowed(access: Access, scopes: list[str]) -> dict[tuple[str, str], frozenset[str]]:
    """The part of the scopes that the actor's rights cover; what is malformed is left out."""
    held = frozenset(action for right, actions in ACTIONS.items() if access.anywhere(right) for action in actions)
    granted: dict[tuple[str, str], frozenset[str]] = {}
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        name, _, listed = rest.rpartition(":")
        actions = frozenset(listed.split(","))
        if kind == "repository" and is_name(name):
            wanted = held if "*" in actions else actions & held
        elif (kind, name) == ("registry", "catalog"):
            wanted = frozenset({"*"}) if access.anywhere(rights.REGISTRY_MANAGE) else frozenset()
        else:
            continue
        if wanted:
            granted[kind, name] = granted.get((kind, name), frozenset()) | wanted
    return granted


def _asked(action: str) -> str:
    return "pull,push" if action == "push" else action


def _challenge(scope: str, error: str = "") -> dict[str, str]:
    fields = {"realm": tokens.realm(), "service": tokens.service(), "scope": scope, "error": error}
    return {"WWW-Authenticate": "Bearer " + ",".join(f'{name}="{value}"' for name, value in fields.items() if value)}


async def _credentials(request: Request) -> tuple[str, str, list[str]]:
    """User name, password and scopes, from Basic and the query (GET) or from the form (POST, OAuth2)."""
    asked = request.query.get("scope", [])
    username = password = ""
    if request.method == "POST":
        body = await request.body(LARGEST_FORM)
        form = parse_qs((body or b"").decode("latin-1"))
        if form.get("grant_type") != ["password"]:
            raise RegistryError("UNSUPPORTED", "only grant_type=password is supported", status=400)
        username, password = form.get("username", [""])[0], form.get("password", [""])[0]
        asked = form.get("scope", [])
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise RegistryError("UNAUTHORIZED", "malformed Basic credentials", headers=BASIC) from None
    return username, password, [scope for entry in asked for scope in entry.split(" ")]
