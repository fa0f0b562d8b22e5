"""Answering a registry's challenge: Basic, or a Bearer token from the server that it names.

Source: distribution spec ``auth/token``. A token server is reached by the transport's rules for foreign addresses, over
https unless the registry itself is plain and on the same host, and credentials go nowhere else.
"""

import base64
import json
import re
from dataclasses import dataclass

from yarl import URL

from agent.engine.errors import Denied, Unauthorized, Unavailable
from agent.engine.registry.keychain import Credentials
from agent.engine.registry.patience import patiently
from agent.engine.registry.transport import Transport

_CHALLENGE = re.compile(r'(Basic|Bearer)((?:\s*,?\s*[a-z_]+=(?:"[^"]*"|[^\s,"]+))*)', re.IGNORECASE)
_PARAMETER = re.compile(r'([a-z_]+)=(?:"([^"]*)"|([^\s,"]+))', re.IGNORECASE)
_ANSWER_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme of ``WWW-Authenticate`` with its parameters."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(headers: list[str]) -> list[Challenge]:
    """Every Basic and Bearer challenge, strongest first."""
    found = [
        Challenge(match[1].lower(), {key.lower(): a or b for key, a, b in _PARAMETER.findall(match[2])})
        for header in headers
        for match in _CHALLENGE.finditer(header)
    ]
    return sorted(found, key=lambda challenge: challenge.scheme != "bearer")


class Authorizer:
    """The Authorization header for one repository's requests."""

    def __init__(self, transport: Transport, credentials: Credentials | None, scopes: tuple[str, ...]) -> None:
        self._transport, self._credentials, self._scopes = transport, credentials, scopes
        self._header = f"Bearer {credentials.registry_token}" if credentials and credentials.registry_token else ""

    @property
    def headers(self) -> dict[str, str]:
        """To send with each request to the registry."""
        return {"Authorization": self._header} if self._header else {}

    async def answer(self, challenges: list[str]) -> bool:
        """Meet a challenge. False where there is nothing to meet it with, or nothing new.

        Raises:
            Denied: the token server is somewhere that it must not be.
            Unauthorized: the token server refused the credentials.
        """
        if self._credentials and self._credentials.registry_token:
            # The client's ready token is for this very request: an anonymous one would only stand in its place.
            return False
        before = self._header
        for challenge in parse_challenges(challenges):
            if challenge.scheme == "bearer":
                self._header = f"Bearer {await self._token(challenge.parameters)}"
                return True
            if self._credentials and self._credentials.username:
                pair = f"{self._credentials.username}:{self._credentials.password}".encode()
                self._header = "Basic " + base64.b64encode(pair).decode()
                return self._header != before
        return False

    async def _token(self, parameters: dict[str, str]) -> str:
        realm = self._realm(parameters)
        scopes = list(self._scopes) or [parameters.get("scope", "")]
        query = [("service", parameters["service"])] if parameters.get("service") else []
        credentials = self._credentials
        headers: dict[str, str] = {}
        data = None
        if credentials and credentials.identity_token:
            data = {
                "grant_type": "refresh_token",
                "refresh_token": credentials.identity_token,
                "client_id": "longshore",
                "scope": " ".join(scopes),
                **dict(query),
            }
        else:
            query += [("scope", scope) for scope in scopes if scope]
            if credentials and credentials.username:
                query.append(("account", credentials.username))
                pair = f"{credentials.username}:{credentials.password}".encode()
                headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
            realm = realm.extend_query(query)
        return await self._fetch(realm, headers, data)

    def _realm(self, parameters: dict[str, str]) -> URL:
        try:
            realm = URL(parameters.get("realm", ""))
            origin = realm.origin()
        except ValueError:
            raise Denied("the registry names an invalid token server") from None
        plain = realm.scheme == "http"
        same_host = origin.host == self._transport.base.host
        if realm.scheme not in {"http", "https"} or (
            plain and not (self._transport.base.scheme == "http" and same_host)
        ):
            raise Denied(f"the registry names the token server {origin}: it must be https; no credentials were sent")
        return realm

    async def _fetch(self, realm: URL, headers: dict[str, str], data: dict[str, str] | None) -> str:
        async with await patiently(lambda: self._transport.token_request(realm, headers, data)) as response:
            body = await response.content.read(_ANSWER_LIMIT)
            if response.status in {401, 403}:
                raise Unauthorized(f"unauthorized: {said(body) or 'incorrect username or password'}")
            if response.status != 200:
                raise Unavailable(f"the token server {realm.origin()} answered {response.status}: {said(body)}")
        try:
            answer = json.loads(body)
            token = answer.get("token") or answer.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise Unavailable(f"the token server {realm.origin()} gave no token")
        return token


def said(body: bytes) -> str:
    """A registry's or token server's own words, from its JSON of errors."""
    try:
        found = json.loads(body)
        error = (found.get("errors") or [found])[0]
        text = error.get("message") or error.get("details") or error.get("error_description") or ""
    except (ValueError, AttributeError, IndexError, TypeError):
        return ""
    return str(text)[:300]
