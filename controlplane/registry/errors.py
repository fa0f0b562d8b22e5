"""The registry's error codes and the only place that knows their HTTP statuses.

After the OCI distribution specification 1.1, "Error codes", and distribution's `errcode`.
"""

import json
from collections.abc import Mapping
from typing import Any

STATUS: Mapping[str, int] = {
    "BLOB_UNKNOWN": 404,
    "BLOB_UPLOAD_INVALID": 400,
    "BLOB_UPLOAD_UNKNOWN": 404,
    "DENIED": 403,
    "DIGEST_INVALID": 400,
    "MANIFEST_BLOB_UNKNOWN": 400,
    "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404,
    "NAME_INVALID": 400,
    "NAME_UNKNOWN": 404,
    "PAGINATION_NUMBER_INVALID": 400,
    "RANGE_INVALID": 416,
    "SIZE_INVALID": 400,
    "SIZE_TOO_LARGE": 413,
    "TAG_INVALID": 400,
    "TOOMANYREQUESTS": 429,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED": 405,
    "UNAVAILABLE": 503,
    "NO_SPACE": 507,
}


class RegistryError(Exception):
    """One refusal.

    Args:
        code: a word of STATUS.
        message: what is wrong, for people.
        detail: what it is about, for programs.
        headers: what the answer carries besides.
        status: where the code's own status does not fit.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        detail: Any = None,
        headers: Mapping[str, str] | None = None,
        status: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.status = status or STATUS[code]

    def body(self) -> bytes:
        """The answer's body."""
        # Clients know no code for these two but they show the message.
        code = {"SIZE_TOO_LARGE": "MANIFEST_INVALID", "NO_SPACE": "DENIED"}.get(self.code, self.code)
        return json.dumps({"errors": [{"code": code, "message": str(self), "detail": self.detail}]}).encode()
