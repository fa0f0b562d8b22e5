"""ETags of details: the row's version, and what else the answer depends on."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common.errors import PreconditionFailed


def etag(version: int | str) -> str:
    """A strong ETag."""
    return f'"{version}"'


def matches(header: str, current: str) -> bool:
    """Whether a list of ETags, or `*`, names the current one; weak comparison, as RFC 9110 has it for GET."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or current in tags


def check_if_match(request: Request, version: int | str) -> None:
    """Honour `If-Match` where it is sent.

    Raises:
        PreconditionFailed: the object is at another version.
    """
    header = request.headers.get("If-Match")
    if header is not None and not matches(header, etag(version)):
        raise PreconditionFailed(
            f"It is at version {version} now: load it again, then repeat the change", params={"version": version}
        )


def conditional(request: Request, version: int | str, data: object) -> Response:
    """A detail with its ETag, or 304 when the client has this version already."""
    current = etag(version)
    header = request.headers.get("If-None-Match")
    if header is not None and matches(header, current):
        return Response(status=304, headers={"ETag": current})
    return Response(data, headers={"ETag": current})
