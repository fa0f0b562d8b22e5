"""Plugins that listen on TCP, plain and by mutual TLS."""

import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agent.engine.errors import EngineError
from tests.agent.engine.volumes.bench import Bench


async def answer(request: web.Request) -> web.Response:
    """A plugin with one volume, mounted nowhere."""
    answers: dict[str, Any] = {
        "Plugin.Activate": {"Implements": ["VolumeDriver"]},
        "VolumeDriver.Get": {"Volume": {"Name": "data", "Mountpoint": "/somewhere"}},
        "VolumeDriver.List": {"Volumes": [{"Name": "data"}]},
        "VolumeDriver.Capabilities": {"Capabilities": {"Scope": "nonsense"}},
    }
    return web.json_response(answers[request.path.strip("/")])


@asynccontextmanager
async def listening(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """The plugin on some port of the loopback."""
    app = web.Application()
    app.router.add_post("/{method}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert site._server is not None
    try:
        yield site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await runner.cleanup()


@pytest.fixture
def places(bench: Bench) -> Callable[[str, str], None]:
    """Writes a file into the directory of plugins."""
    directory = bench.paths.root / "plugins"
    directory.mkdir()
    return lambda name, text: (directory / name).write_text(text) and None


async def test_tcp(bench: Bench, places: Callable[[str, str], None]) -> None:
    async with listening(None) as port:
        places("far.spec", f"tcp://127.0.0.1:{port}\n")
        record, _ = await bench.service.inspect("data")
        assert (record.driver, record.mountpoint, record.scope) == ("far", "/somewhere", "local")
    with pytest.raises(EngineError, match=rf"dial tcp 127\.0\.0\.1:{port}: connect: connection refused"):
        await bench.service.create("other", driver="far")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """One that is its own CA, and its key."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(tmp_path / "cert"), str(tmp_path / "key")


async def test_tls(bench: Bench, places: Callable[[str, str], None], certificate: tuple[str, str]) -> None:
    cert, key = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=cert)
    context.load_cert_chain(cert, key)
    context.verify_mode = ssl.CERT_REQUIRED
    async with listening(context) as port:
        address = f"https://127.0.0.1:{port}"
        tls = {"CAFile": cert, "CertFile": cert, "KeyFile": key}
        places("safe.json", json.dumps({"Name": "safe", "Addr": address, "TLSConfig": tls}))
        assert (await bench.service.inspect("data"))[0].driver == "safe"
        # Nobody that it knows; and a server that we do not know.
        places("nobody.json", json.dumps({"Addr": address, "TLSConfig": {"CAFile": cert}}))
        places(
            "stranger.json",
            json.dumps({"Addr": address, "TLSConfig": {**tls, "CAFile": "/etc/ssl/certs/ca-certificates.crt"}}),
        )
        for name in ("nobody", "stranger"):
            with pytest.raises(EngineError, match=f"error looking up volume plugin {name}: legacy plugin: Post"):
                await bench.service.create("other", driver=name)
