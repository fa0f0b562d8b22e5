"""A registry that lies, breaks off and sends astray, as a test tells it to."""

import base64
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


@dataclass
class FakeRegistry:
    """Serves what is put into ``manifests`` and ``blobs``; ``on_blob`` and ``gate`` may answer instead."""

    address: str = ""
    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    named: str = ""
    """What every manifest's digest is said to be, instead of what it is."""
    on_blob: Callable[[web.Request, bytes], Awaitable[web.StreamResponse | None]] | None = None
    gate: Callable[[web.Request], web.Response | None] | None = None

    def blob(self, data: bytes) -> bytes:
        self.blobs[digest(data)] = data
        return data

    def image(
        self,
        *layers: bytes,
        tag: str = "1",
        diff_ids: list[str] | None = None,
        pack: Callable[[bytes], bytes] = gzip.compress,
        layer_type: str = GZIP,
        media_type: str = OCI,
        config: dict[str, Any] | None = None,
        change: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> bytes:
        """Serve an image of these tars; its manifest."""
        packed = [self.blob(pack(layer)) for layer in layers]
        ids = [digest(layer) for layer in layers] if diff_ids is None else diff_ids
        document = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}}
        made = self.blob(json.dumps({**document, **(config or {})}).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": descriptor(made, CONFIG),
            "layers": [descriptor(data, layer_type) for data in packed],
        }
        change(manifest)
        return self.manifest(manifest, tag, media_type)

    def manifest(self, document: dict[str, Any], tag: str, media_type: str) -> bytes:
        body = json.dumps(document).encode()
        self.manifests[tag] = self.manifests[digest(body)] = (body, media_type)
        return body

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path, dict(request.headers)))
        if self.gate is not None and (refusal := self.gate(request)) is not None:
            return refusal
        parts = request.path.strip("/").split("/")
        if request.path == "/v2/":
            return web.json_response({})
        if parts[-2] == "manifests" and parts[-1] in self.manifests:
            body, media_type = self.manifests[parts[-1]]
            headers = {"Content-Type": media_type, "Docker-Content-Digest": self.named or digest(body)}
            return web.Response(body=body, headers=headers)
        if parts[-2] == "blobs" and parts[-1] in self.blobs:
            data = self.blobs[parts[-1]]
            if self.on_blob is not None and (answer := await self.on_blob(request, data)) is not None:
                return answer
            return web.Response(body=data)
        return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}, status=404)


@asynccontextmanager
async def fake_registry() -> AsyncIterator[FakeRegistry]:
    """One on loopback."""
    fake = FakeRegistry()
    async with serving(fake._handle) as address:
        fake.address = address
        yield fake


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Any handler on loopback; its address."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server: Any = site._server
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
