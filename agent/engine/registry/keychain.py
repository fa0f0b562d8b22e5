"""Credentials for one registry, as a client sends them along with a request. Never stored, never shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Name and password, a token to trade for others (``identity_token``), or a ready one (``registry_token``)."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Credentials | None":
        """From Docker's AuthConfig; None where it is empty."""
        made = cls(
            username=str(given.get("username") or ""),
            password=str(given.get("password") or ""),
            identity_token=str(given.get("identitytoken") or given.get("IdentityToken") or ""),
            registry_token=str(given.get("registrytoken") or given.get("RegistryToken") or ""),
        )
        return made if made != cls() else None

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, …)"
