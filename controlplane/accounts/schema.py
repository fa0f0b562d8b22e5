"""How the OpenAPI document describes the two ways in."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class AuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Found by drf-spectacular through its base class."""

    target_class = "controlplane.accounts.authentication.Authentication"
    name = ["session", "token"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        """A cookie of sign-in, or a bearer token."""
        return [
            {"type": "apiKey", "in": "cookie", "name": "sessionid"},
            {"type": "http", "scheme": "bearer", "bearerFormat": "ls_…"},
        ]
