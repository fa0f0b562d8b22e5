"""One WebSocket to the control plane: TLS that is taken or refused, and the handshake that proves both ends.

design: the session is taken only if the system's CAs verify it, or if the control plane's signed `spki` is the SHA-256
of the public key in the certificate that was seen. The signature must hold in both cases.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import ssl
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from agent.link.keys import HostKey, Trusted, spki_of
from agent.link.settings import Identity
from agent.protocol import versions

_OPEN_SECONDS: Final = 10.0


class HandshakeFailed(Exception):
    """The two ends do not trust each other, or one of them does not speak the protocol."""


@dataclass(frozen=True)
class Opened:
    """A connection whose ends have proved who they are. `clock` is the server's time minus this host's."""

    socket: ClientConnection
    clock: float
    hello: dict[str, Any]


def check_url(url: str) -> None:
    """Refuse an address to which this host would not trust its orders.

    Raises:
        HandshakeFailed: neither https nor http on this very machine.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _loopback(parts.hostname or ""):
        return
    raise HandshakeFailed(f"{url}: the control plane must be reached by https (http only on loopback)")


async def open_link(identity: Identity, key: HostKey, trusted: Trusted, boot_id: str) -> Opened:
    """Connect and shake hands.

    Raises:
        HandshakeFailed: see there. OSError, TimeoutError, WebSocketException: no connection.
    """
    check_url(identity.url)
    socket, verified = await _connect(identity.url + versions.LINK_PATH)
    try:
        async with asyncio.timeout(versions.HANDSHAKE_SECONDS):
            clock, hello = await _shake_hands(socket, verified, identity, key, trusted, boot_id)
    except BaseException:
        socket.transport.abort()
        raise
    return Opened(socket, clock, hello)


async def _connect(url: str) -> tuple[ClientConnection, bool]:
    """The WebSocket, and whether the system's CAs verified its certificate (or there is none to verify)."""
    target = url.replace("http", "ws", 1)
    options: dict[str, Any] = {
        "max_size": versions.MAX_MESSAGE,
        "compression": None,
        "open_timeout": _OPEN_SECONDS,
        "ping_interval": versions.HEARTBEAT_SECONDS,
        "ping_timeout": versions.HEARTBEAT_SECONDS,
        "close_timeout": 1.0,
        "proxy": None,
    }
    if target.startswith("ws://"):
        return await connect(target, **options), True
    try:
        return await connect(target, ssl=ssl.create_default_context(), **options), True
    except ssl.SSLCertVerificationError:
        # not yet distrusted: the handshake compares this very certificate with the one that the pinned key signed
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return await connect(target, ssl=context, **options), False


async def _shake_hands(
    socket: ClientConnection, verified: bool, identity: Identity, key: HostKey, trusted: Trusted, boot_id: str
) -> tuple[float, dict[str, Any]]:
    first = _object(await socket.recv())
    nonce, spki = str(first.get("nonce", "")), str(first.get("spki", ""))
    try:
        sig = base64.b64decode(str(first.get("sig", "")), validate=True)
        server_time = float(first["server_time"])
    except (KeyError, TypeError, ValueError):
        raise HandshakeFailed("the control plane's greeting cannot be read") from None
    if len(nonce) < 32 or not trusted.any(sig, versions.server_statement(identity.url, spki, nonce)):
        raise HandshakeFailed("the control plane's signature does not hold: it has not the key this host enrolled with")
    if not verified and spki != _seen(socket):
        raise HandshakeFailed("the certificate is neither trusted by this host nor the one the control plane signed")
    clock = server_time - asyncio.get_running_loop().time()
    answer = versions.agent_statement(identity.host_id, identity.url, spki, nonce, boot_id)
    await socket.send(
        json.dumps(
            {
                "host_id": identity.host_id,
                "boot_id": boot_id,
                "protocol": versions.PROTOCOL,
                "capabilities": versions.CAPABILITIES,
                "sig": base64.b64encode(key.sign(answer)).decode(),
            }
        )
    )
    hello = _object(await socket.recv())
    if hello.get("type") != "hello":
        raise HandshakeFailed("the control plane did not say hello")
    return clock, hello


def _seen(socket: ClientConnection) -> str:
    tls = socket.transport.get_extra_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return spki_of(certificate) if certificate else ""


def _object(message: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(message)
    except ValueError:
        raise HandshakeFailed("not JSON") from None
    if not isinstance(value, dict):
        raise HandshakeFailed("not an object")
    return value


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


CONNECTION_ERRORS: Final = (OSError, TimeoutError, WebSocketException, HandshakeFailed)
