"""Manifests, tags, referrers and the catalogue on the wire.

OCI distribution specification 1.1: "Pulling manifests", "Pushing manifests", "Listing tags", "Listing referrers".
"""

import json
from urllib.parse import urlencode

from channels.db import database_sync_to_async

from controlplane.registry import documents, selectors, services
from controlplane.registry.auth import Guard
from controlplane.registry.errors import RegistryError
from controlplane.registry.http import Request, Response
from controlplane.registry.names import is_digest, is_name

PAGE, LARGEST_PAGE = 100, 1000


class Manifests:
    """Handlers of `/v2/<name>/{manifests,tags,referrers}/…` and `/v2/_catalog`."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def read(self, request: Request, name: str, reference: str) -> Response:
        """GET and HEAD; a GET counts as a pull."""
        self._guard.check(request, "pull", name)
        manifest = await database_sync_to_async(selectors.manifest)(name, reference)
        headers = {
            "Content-Type": manifest.media_type,
            "Docker-Content-Digest": manifest.digest,
            "ETag": f'"{manifest.digest}"',
            "Content-Length": str(manifest.size),
        }
        if request.method == "GET":
            await database_sync_to_async(services.pull_count)(manifest=manifest)
        return Response(200, headers, bytes(manifest.content))

    async def put(self, request: Request, name: str, reference: str) -> Response:
        """PUT by tag or digest."""
        grant = self._guard.check(request, "push", name)
        if not is_name(name):
            raise RegistryError("NAME_INVALID", "invalid repository name", detail=name)
        content = await request.body(documents.LARGEST)
        if content is None:
            raise RegistryError("SIZE_TOO_LARGE", f"a manifest may have {documents.LARGEST} bytes")
        manifest = await database_sync_to_async(services.manifest_put)(
            name=name,
            reference=reference,
            content=content,
            content_type=request.headers.get("content-type", ""),
            pusher=grant.actor(request.client),
        )
        headers = {"Location": f"/v2/{name}/manifests/{manifest.digest}", "Docker-Content-Digest": manifest.digest}
        if manifest.subject:
            headers["OCI-Subject"] = manifest.subject
        return Response(201, headers)

    async def delete(self, request: Request, name: str, reference: str) -> Response:
        """DELETE a tag, or a manifest by digest with all its tags."""
        self._guard.check(request, "delete", name)
        await database_sync_to_async(services.manifest_delete)(name=name, reference=reference)
        return Response(202)

    async def tags(self, request: Request, name: str) -> Response:
        """GET the tags, a page at a time."""
        self._guard.check(request, "pull", name)
        count = _count(request)
        found = await database_sync_to_async(selectors.tag_names)(name, request.parameter("last"), count)
        return _page(request, {"name": name, "tags": found[:count]}, found, count)

    async def referrers(self, request: Request, name: str, digest: str) -> Response:
        """GET what points at a digest, as an index."""
        self._guard.check(request, "pull", name)
        if not is_digest(digest):
            raise RegistryError("DIGEST_INVALID", "provided digest is not a sha256 digest", detail=digest, status=400)
        kind = request.parameter("artifactType")
        found = await database_sync_to_async(selectors.referrers)(name, digest, kind)
        entries = [
            {
                "mediaType": each.media_type,
                "digest": each.digest,
                "size": each.size,
                "artifactType": each.artifact_type,
                "annotations": each.annotations,
            }
            for each in found
        ]
        body = {"schemaVersion": 2, "mediaType": documents.OCI_INDEX, "manifests": entries}
        headers = {"Content-Type": documents.OCI_INDEX} | ({"OCI-Filters-Applied": "artifactType"} if kind else {})
        return Response(200, headers, json.dumps(body).encode())

    async def catalog(self, request: Request) -> Response:
        """GET the repositories' names: for those who manage the registry."""
        self._guard.check(request, "*", "catalog", kind="registry")
        count = _count(request)
        found = await database_sync_to_async(selectors.repository_names)(request.parameter("last"), count)
        return _page(request, {"repositories": found[:count]}, found, count)


def _count(request: Request) -> int:
    given = request.parameter("n", str(PAGE))
    if not given.isdecimal():
        raise RegistryError("PAGINATION_NUMBER_INVALID", "n must be a number", detail=given)
    return min(int(given), LARGEST_PAGE)


def _page(request: Request, body: dict[str, object], found: list[str], count: int) -> Response:
    headers = {"Content-Type": "application/json"}
    if len(found) > count > 0:
        query = urlencode({"n": count, "last": found[count - 1]})
        headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return Response(200, headers, json.dumps(body).encode())
