"""The link over TLS with a certificate that no CA of this host knows, and with somebody in between."""

import asyncio
import datetime
import ipaddress
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.link import transport
from agent.link.keys import Trusted
from agent.link.transport import HandshakeFailed, check_url, open_link
from tests.link.rogue import Rogue
from tests.link.stack import Stack


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    stem = directory / uuid.uuid4().hex[:8]
    cert, private = stem.with_suffix(".pem"), stem.with_suffix(".key")
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))  # fmt: skip
    return cert, private


@pytest.fixture(scope="module")
def tls(scratch: Path) -> Iterator[Stack]:
    root = scratch / "tls"
    root.mkdir()
    made = Stack(root, certificate(root))
    made.start()
    yield made
    made.stop()


async def test_it_works_with_a_certificate_that_nobody_vouches_for(tls: Stack, name: str) -> None:
    done = await asyncio.to_thread(tls.enrol, name)
    assert done.returncode == 0, done.stderr
    async with Rogue(tls.state(name)) as rogue:
        assert await rogue.answer_to(await rogue.say("stats", items=[]))


async def test_somebody_in_between_is_refused(tls: Stack, name: str) -> None:
    """Passes every byte on, greeting and all, but has a certificate of its own."""
    await asyncio.to_thread(tls.enrol, name)
    rogue = Rogue(tls.state(name))
    outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outside.check_hostname, outside.verify_mode = False, ssl.CERT_NONE
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(*certificate(tls.root))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", tls.port, ssl=outside)
        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(between, "127.0.0.1", 0, ssl=inside)
    port = server.sockets[0].getsockname()[1]
    # the way there leads over the relay; what is signed and checked is the true address
    real = transport._connect

    async def diverted(url: str) -> object:
        return await real(url.replace(f":{tls.port}", f":{port}"))

    transport._connect = diverted  # type: ignore[assignment]
    try:
        with pytest.raises(HandshakeFailed, match="certificate"):
            await open_link(rogue.identity, rogue.key, Trusted(rogue.identity.keys), "b")
    finally:
        transport._connect = real
        server.close()


async def test_another_control_plane_is_refused(tls: Stack, stack: Stack, name: str) -> None:
    await asyncio.to_thread(tls.enrol, name)
    rogue = Rogue(tls.state(name))
    elsewhere = replace(rogue.identity, url=stack.url)
    with pytest.raises(HandshakeFailed, match="signature"):
        await open_link(elsewhere, rogue.key, Trusted(rogue.identity.keys), "b")


@pytest.mark.parametrize(
    "url", ["http://10.1.2.3:80", "http://example.org", "ftp://127.0.0.1", "https://", "file:///x"]
)
def test_an_unsafe_address_is_refused(url: str) -> None:
    with pytest.raises(HandshakeFailed):
        check_url(url)


def test_safe_addresses_pass() -> None:
    for url in ("https://example.org", "http://127.0.0.1:1", "http://localhost", "http://[::1]:80"):
        check_url(url)
