"""A registry as a process of its own whose every repository is an attack: ``python -m …hostile_registry``.

It prints its address, and serves until its standard input ends. The name of a repository says what it does.
"""

import asyncio
import gzip
import json
import sys
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.agent.engine.images.archives import entry, folder, symlink, tar
from tests.agent.engine.images.fake_registry import CONFIG, GZIP, INDEX, OCI, descriptor, digest, serving

Answer = web.StreamResponse
LAYER = tar(folder("bin"), entry("bin/f", b"x" * 100))


class Repository:
    """One image, and how it is served."""

    def __init__(self, layer: bytes = LAYER, config: dict[str, Any] | None = None, layers: int = 1) -> None:
        self.packed = gzip.compress(layer)
        ids = [digest(layer)] * layers
        document = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}}
        self.config = json.dumps({**document, **(config or {})}).encode()
        self.document: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": descriptor(self.config, CONFIG),
            "layers": [descriptor(self.packed, GZIP)] * layers,
        }
        self.headers: dict[str, str] = {"Content-Type": OCI}
        self.blob: Callable[[web.Request, bytes], Any] | None = None
        self.gate: web.Response | None = None

    def changed(self, change: Callable[[dict[str, Any]], object]) -> "Repository":
        change(self.document)
        return self

    def said(self, **headers: str) -> "Repository":
        self.headers.update({key.replace("_", "-"): value for key, value in headers.items()})
        return self

    def served(self, blob: Callable[[web.Request, bytes], Any]) -> "Repository":
        self.blob = blob
        return self

    def guarded(self, challenge: str) -> "Repository":
        self.gate = web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return self


async def endless(request: web.Request, _: bytes) -> Answer:
    response = web.StreamResponse()
    await response.prepare(request)
    while not request.transport.is_closing():  # type: ignore[union-attr]
        await response.write(bytes(1 << 20))
    return response


def away(to: str) -> Callable[[web.Request, bytes], Any]:
    async def answer(_: web.Request, __: bytes) -> Answer:
        return web.Response(status=307, headers={"Location": to})

    return answer


async def packed_again(_: web.Request, data: bytes) -> Answer:
    return web.Response(body=gzip.compress(data), headers={"Content-Encoding": "gzip"})


async def short(_: web.Request, data: bytes) -> Answer:
    return web.Response(body=data[:-5])


def bomb() -> bytes:
    """A gigabyte of zeros, in a megabyte."""
    member, _ = entry("zeros", b"")
    member.size = 1 << 30
    return gzip.compress(member.tobuf() + bytes(1 << 26), 1)[:-8]


def repositories() -> dict[str, Repository]:
    """By name."""
    huge = {"mediaType": INDEX, "schemaVersion": 2, "manifests": []}
    made = {
        "u2-link": Repository(tar(symlink("d", "/etc"), entry("d/longshore-was-here", b"x"))),
        "u10-other-layer": Repository().changed(lambda d: d["layers"][0].update(descriptor(b"other", GZIP))),
        "u11-layers": Repository(layers=128),
        "u11-large": Repository().changed(lambda d: d["config"].update(size=50 << 20)),
        "u11-deep": Repository().changed(lambda d: d["config"].update(descriptor(DEEP, CONFIG))),
        "u11-env": Repository(config={"config": {"Env": ["NOVALUE", "=x", ""], "Cmd": ["true"]}}),
        "r1-lie": Repository().said(Docker_Content_Digest="sha256:" + "0" * 64),
        "r2-endless": Repository().served(endless),
        "r2-short": Repository().served(short),
        "r2-packed": Repository().served(packed_again),
        "r4-metadata": Repository().served(away("http://169.254.169.254/latest/meta-data")),
        "r4-loop": Repository().served(away("?again")),
        "r5-realm": Repository().guarded('Bearer realm="http://attacker.invalid/token",service="x"'),
        "r5-metadata": Repository().guarded('Bearer realm="https://169.254.169.254/token",service="x"'),
        "r7-both": Repository().changed(lambda d: d.update(manifests=[])),
        "r7-type": Repository().said(Content_Type=INDEX),
        "r8-schema1": Repository().changed(lambda d: d.update(schemaVersion=1)),
        "r8-many": Repository().said(Content_Type=INDEX).changed(lambda d: (d.clear(), d.update(huge))),
    }
    row = {**descriptor(b"", OCI), "platform": {"os": "linux", "architecture": "amd64"}}
    made["r8-many"].document["manifests"] = [row] * 10_000
    return made


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


async def main() -> None:
    """Serve."""
    known = repositories()

    async def handle(request: web.Request) -> Answer:
        parts = request.path.strip("/").split("/")
        if request.path == "/v2/":
            return web.json_response({})
        if len(parts) != 4 or parts[1] not in known:
            return web.json_response({"errors": [{"code": "NAME_UNKNOWN"}]}, status=404)
        repository = known[parts[1]]
        if repository.gate is not None:
            return web.Response(status=401, headers=repository.gate.headers)
        if parts[2] == "manifests":
            return web.Response(body=json.dumps(repository.document).encode(), headers=repository.headers)
        data = {digest(d): d for d in (repository.packed, repository.config, DEEP)}.get(parts[3])
        if data is None:
            return web.Response(status=404)
        if data == repository.packed and repository.blob is not None:
            answer: Answer = await repository.blob(request, data)
            return answer
        return web.Response(body=data)

    async with serving(handle) as address:
        print(address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
