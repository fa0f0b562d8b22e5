"""Short-lived tokens for `/v2/`: who, and which actions on which repositories.

Docker's token specification; HS256 with a key made from Django's secret key, the algorithm fixed when verifying. A
token is issued to a person at `/v2/token` and, by `issue`, to a host for the repositories of one order.
"""

import hashlib
import hmac
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import jwt
from django.conf import settings

from controlplane.common.access import Actor

ALGORITHM = "HS256"
LIFE_SECONDS = 300
LEEWAY_SECONDS = 5
LONGEST = 16 * 1024


@dataclass(frozen=True)
class Grant:
    """What a token allows: actions by (type, name)."""

    subject: str
    subject_name: str
    access: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def actor(self, address: str) -> Actor:
        """Who it was made for, for the trail."""
        return Actor(self.subject, self.subject_name, self.subject.partition(":")[0], address)

    def allows(self, action: str, name: str, kind: str = "repository") -> bool:
        """Whether one action on one thing is in it."""
        return action in self.access.get((kind, name), frozenset())


class BadToken(Exception):
    """A token that we did not make, or made for something or some time else."""


def realm() -> str:
    """Where tokens are asked for."""
    return f"{settings.LONGSHORE_URL}/v2/token"


def service() -> str:
    """What the tokens are for: this registry's host and port, as image names have it."""
    return urlsplit(settings.LONGSHORE_URL).netloc


def issue(repositories: Iterable[str], actions: Iterable[str], subject: str, ttl: int = LIFE_SECONDS) -> str:
    """A token for the repositories of one order, for the host that carries it out.

    Args:
        repositories: their names.
        actions: of ``pull``, ``push``.
        subject: who it is for, kept in the records of what it pushes.
        ttl: seconds until it expires.
    """
    allowed = frozenset(actions)
    return sign(subject, subject, {("repository", name): allowed for name in repositories}, ttl)


def sign(subject: str, name: str, access: Mapping[tuple[str, str], frozenset[str]], ttl: int = LIFE_SECONDS) -> str:
    """A token that holds exactly this access."""
    now = int(time.time())
    claims = {
        "iss": settings.LONGSHORE_URL,
        "aud": service(),
        "sub": subject,
        "name": name,
        "iat": now,
        "nbf": now,
        "exp": now + ttl,
        "jti": uuid.uuid4().hex,
        "access": [
            {"type": kind, "name": thing, "actions": sorted(actions)} for (kind, thing), actions in access.items()
        ],
    }
    return jwt.encode(claims, _key(settings.SECRET_KEY), algorithm=ALGORITHM)


def verify(token: str) -> Grant:
    """Read a token.

    Raises:
        BadToken: not signed by us, another algorithm, issuer or audience, expired or not yet valid, malformed.
    """
    if len(token) > LONGEST:
        raise BadToken("token too long")
    claims = _claims(token)
    access: dict[tuple[str, str], frozenset[str]] = {}
    try:
        for entry in claims["access"]:
            access[entry["type"], entry["name"]] = frozenset(entry["actions"])
        return Grant(claims["sub"], claims["name"], access)
    except (KeyError, TypeError) as wrong:
        raise BadToken("malformed claims") from wrong


def _claims(token: str) -> dict[str, Any]:
    keys: Sequence[str] = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    for key in keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                _key(key),
                algorithms=[ALGORITHM],
                audience=service(),
                issuer=settings.LONGSHORE_URL,
                leeway=LEEWAY_SECONDS,
                options={"require": ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "name", "access"]},
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidTokenError as wrong:
            raise BadToken(str(wrong)) from wrong
        return claims
    raise BadToken("signature does not verify")


def _key(secret: str) -> bytes:
    """A key of its own, so that nothing else that Django signs can pass for a token."""
    return hmac.new(secret.encode(), b"longshore registry token v1", hashlib.sha256).digest()
