"""HTTP to one registry, and to where it sends us.

A registry is named by the user and may live anywhere. What *it* names (a redirect, a token server) is not the user's
word: it may not lead from https to http, takes no Authorization along, and is reached at public addresses only, unless
the registry itself is private. The address is judged when the socket is made, so that a name which resolves anew gains
nothing.
"""

import asyncio
import ipaddress
import socket
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
from yarl import URL

from agent.engine.errors import Denied, Unavailable

MAX_HOPS = 5
STALL_SECONDS = 60.0
_CONNECT_SECONDS = 15.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
CERTIFICATES = (Path("/etc/longshore/certs.d"), Path("/etc/docker/certs.d"))
USER_AGENT = "longshore"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def kind_of(text: str) -> str:
    """``loopback``, ``link`` (metadata services live there), ``private`` or ``public``."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link"
    return "public" if address.is_global and not address.is_multicast else "private"


def may_reach(registry: str, target: str) -> bool:
    """Whether a registry at one kind of address may send us to another."""
    return target == "public" or target in {"loopback": {"loopback", "private"}}.get(registry, {registry})


class Transport:
    """Sessions for one registry. Use it as a context manager."""

    def __init__(self, base: URL, *, verify: bool, certificates: tuple[Path, ...] = ()) -> None:
        """``base`` is ``scheme://host:port``; ``verify`` false takes any certificate (an insecure registry).

        ``certificates``: folders of ``HOST[:PORT]/*.crt``, as Docker's certs.d, beside those of the system.
        """
        self.base = base
        self._kind = "public"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=STALL_SECONDS)
        trust: ssl.SSLContext | bool = False
        if verify:
            trust = _trust((*CERTIFICATES, *certificates), f"{base.host}:{base.port}", f"{base.host}")
        self._own = self._session(self._own_socket, trust, timeout)
        self._others = self._session(self._other_socket, True, timeout)

    async def __aenter__(self) -> "Transport":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._own.close()
        await self._others.close()

    def is_own(self, url: URL) -> bool:
        """The URL belongs to the registry itself."""
        return url.origin() == self.base.origin()

    async def request(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> aiohttp.ClientResponse:
        """Send, and follow redirects of GET and HEAD. The caller releases the response.

        Raises:
            Denied: sent somewhere that is not allowed.
            Unavailable: no answer.
        """
        sent = dict(headers or {})
        origin = url
        for _ in range(MAX_HOPS + 1):
            if not self.is_own(url):
                sent.pop("Authorization", None)
            if origin.scheme == "https" and url.scheme != "https":
                raise Denied(f"{method} {_shown(origin)}: redirected from https to {_shown(url)}: refused")
            response = await self._send(method, url, sent, data)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            response.release()
            if method not in {"GET", "HEAD"}:
                raise Unavailable(f"{method} {_shown(url)}: unexpected redirect")
            try:
                target = url.join(URL(location))
                target.origin()
            except ValueError:
                raise Denied(f"{method} {_shown(url)}: redirected to an invalid address") from None
            if target.origin() != url.origin():
                sent.pop("Authorization", None)
            origin, url = url, target
        raise Denied(f"{method} {_shown(url)}: stopped after {MAX_HOPS} redirects")

    async def token_request(
        self, realm: URL, headers: Mapping[str, str], data: Mapping[str, str] | None
    ) -> aiohttp.ClientResponse:
        """Ask a token server. It is sent the credentials that it asks for, so it may not redirect.

        Raises:
            Denied: it lives at an address that the registry may not send us to.
            Unavailable: no answer.
        """
        response = await self._send("POST" if data else "GET", realm, headers, data)
        if response.status in _REDIRECTS:
            response.release()
            raise Denied(f"the token server {realm.origin()} redirects: refused")
        return response

    async def _send(self, method: str, url: URL, headers: Mapping[str, str], data: Any) -> aiohttp.ClientResponse:
        session = self._own if self.is_own(url) else self._others
        try:
            return await session.request(
                method, url, headers=headers, data=data, allow_redirects=False, proxy=_proxy(url)
            )
        except _Refused as error:
            raise Denied(f"{method} {_shown(url)}: {error}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if (refused := _refusal(error)) is not None:
                raise Denied(f"{method} {_shown(url)}: {refused}") from None
            raise Unavailable(f'{method.capitalize()} "{_shown(url)}": {_reason(error)}') from error

    def _session(
        self, make: Callable[[Any], socket.socket], trust: "ssl.SSLContext | bool", timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(ssl=trust, socket_factory=make, limit=16, ttl_dns_cache=None)
        return aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    def _own_socket(self, info: tuple[Any, ...]) -> socket.socket:
        self._kind = kind_of(info[4][0])
        return _socket(info)

    def _other_socket(self, info: tuple[Any, ...]) -> socket.socket:
        kind = kind_of(info[4][0])
        if not may_reach(self._kind, kind):
            raise _Refused(f"{info[4][0]} is not a public address: refused")
        return _socket(info)


class _Refused(OSError):
    """An address that a registry may not send us to."""


def _socket(info: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(info[0], info[1], info[2])
    made.setblocking(False)
    return made


def _proxy(url: URL) -> str | None:
    """The proxy of the environment. Not aiohttp's ``trust_env``: that would send passwords from ``.netrc`` too."""
    host = url.host or ""
    return None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(url.scheme)


def _trust(folders: tuple[Path, ...], *names: str) -> ssl.SSLContext:
    """The system's authorities, and those that the administrator laid down for this registry."""
    context = ssl.create_default_context()
    for folder in folders:
        for name in names:
            for file in sorted((folder / name).glob("*.crt")):
                context.load_verify_locations(file)
    return context


def _refusal(error: BaseException) -> str | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _Refused):
            return str(seen)
        if "is not a public address" in str(seen):
            return str(seen)
        seen = seen.__cause__
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "timed out"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return f"dial tcp {error.host}:{error.port}: connect: connection refused"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host}: {(error.strerror or 'no such host').lower()}"
    return str(error) or type(error).__name__


def _shown(url: URL) -> str:
    """A URL without query and user: signatures and tokens live there."""
    return str(url.with_query(None).with_user(None).with_fragment(None))
