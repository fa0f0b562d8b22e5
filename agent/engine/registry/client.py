"""The OCI distribution protocol, client side: manifests, blobs, uploads, tags.

Source: OCI distribution spec 1.1; Docker Registry HTTP API V2. What arrives is hashed by us; no header is believed.
"""

import ipaddress
import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from agent.engine.errors import Denied, EngineError, Invalid, NotFound, System, Unauthorized, Unavailable
from agent.engine.registry.auth import Authorizer, said
from agent.engine.registry.keychain import Credentials
from agent.engine.registry.patience import TOO_MANY, patiently, wanted
from agent.engine.registry.transport import Transport

MANIFEST_LIMIT = 4 << 20
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_HUB, _HUB_HOST = "docker.io", "registry-1.docker.io"
_TAG_PAGES = 100
_SO_FAR = re.compile(r"(?:bytes=)?0-(\d+)")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


@dataclass(frozen=True, slots=True)
class Fetched:
    """A manifest as it came: its bytes and what the registry calls them."""

    body: bytes
    media_type: str
    named: str = ""
    """The digest that it says the bytes have."""


class Busy(Unavailable):
    """The registry wants to be asked less often."""

    def __init__(self, text: str, after: float) -> None:
        super().__init__(text)
        self.after = after
        """Seconds that it wants us to wait; 0 where it does not say."""


class Registries:
    """How registries are reached from here."""

    def __init__(self, insecure: tuple[str, ...] = (), certificates: tuple[Path, ...] = ()) -> None:
        """What the settings and the data root say of registries.

        Args:
            insecure: ``host:port``, ``host`` or CIDR, reached without a trusted certificate or in plain HTTP.
            certificates: folders of ``HOST[:PORT]/*.crt`` beside the system's.
        """
        self._insecure = insecure
        self._certificates = certificates

    def is_insecure(self, domain: str) -> bool:
        """Loopback always is, and what the settings name."""
        host = URL(f"http://{domain}").host or ""
        if domain in self._insecure or host in self._insecure or host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or any(
            address in ipaddress.ip_network(item, strict=False) for item in self._insecure if "/" in item
        )

    def transport(self, base: URL, *, insecure: bool = False) -> Transport:
        """A way to one address, ``scheme://host:port``; the certificate may be anybody's where it is insecure."""
        return Transport(base, verify=not insecure, certificates=self._certificates)

    @asynccontextmanager
    async def open(
        self, domain: str, path: str, credentials: Credentials | None, actions: str = "pull", also: tuple[str, ...] = ()
    ) -> AsyncIterator["Repository"]:
        """A repository, once the registry has answered.

        Args:
            actions: what the token is for, e.g. ``pull,push``.
            also: other repositories to pull from, for mounts.

        Raises:
            Unavailable: the registry does not answer.
            Unauthorized, Denied: it wants other credentials, or sends us astray.
        """
        scopes = (f"repository:{path}:{actions}", *(f"repository:{other}:pull" for other in also)) if path else ()
        insecure = self.is_insecure(domain)
        host = _HUB_HOST if domain == _HUB else domain
        bases = [URL(f"https://{host}"), *([URL(f"http://{host}")] if insecure else [])]
        for base in bases:
            async with self.transport(base, insecure=insecure) as transport:
                repository = Repository(transport, path, Authorizer(transport, credentials, scopes))
                try:
                    await repository.ping()
                except Unavailable:
                    if base is bases[-1]:
                        raise
                    continue
                yield repository
                return

    async def login(self, given: Mapping[str, Any]) -> str:
        """Try credentials, as ``docker login`` does: Docker's AuthConfig with ``serveraddress``.

        Returns:
            The words of success.

        Raises:
            Unauthorized: the registry refused them.
            Unavailable: it does not answer.
        """
        domain = re.sub(r"^https?://", "", str(given.get("serveraddress") or "")).partition("/")[0]
        if domain in {"", "index.docker.io", _HUB_HOST}:
            domain = _HUB
        try:
            URL(f"https://{domain}").origin()
        except ValueError as error:
            raise Invalid(f"unable to parse server address: {error}") from None
        async with self.open(domain, "", Credentials.of(given)) as repository:
            await repository.check()
        return "Login Succeeded"

    async def tags(self, reference: Any, credentials: Credentials | None) -> list[str]:
        """Every tag of a repository."""
        async with self.open(reference.domain, reference.path, credentials) as repository:
            return await repository.tags()


class Repository:
    """One repository of one registry."""

    def __init__(self, transport: Transport, path: str, authorizer: Authorizer) -> None:
        self._transport, self._path, self._authorizer = transport, path, authorizer
        self._root = transport.base / "v2" / ""

    async def ping(self) -> None:
        """Ask for the version, and meet the challenge ahead of the first real request."""
        async with await patiently(lambda: self._transport.request("GET", self._root)) as response:
            if response.status == 401:
                await self._authorizer.answer(response.headers.getall("WWW-Authenticate", []))
            elif response.status >= 500 or response.status == TOO_MANY:
                raise await _refusal(response, str(self._root))

    async def check(self) -> None:
        """The credentials are good for something.

        Raises:
            Unauthorized: they are not.
        """
        async with await self._request("GET", self._root) as response:
            if response.status == 401:
                raise Unauthorized(f"login attempt to {self._root} failed with status: 401 Unauthorized")
            if response.status != 200:
                raise await _refusal(response, str(self._root))

    async def manifest(self, ref: str) -> Fetched:
        """A manifest or index by tag or digest.

        Raises:
            NotFound: no such repository, or no such tag or digest in it.
            Invalid: too large.
        """
        headers = {"Accept": ", ".join(MANIFEST_TYPES)}
        url = self._url("manifests", ref)
        async with await self._request("GET", url, headers=headers) as response:
            if response.status != 200:
                raise await _refusal(response, str(url))
            body = await read_whole(response, MANIFEST_LIMIT)
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
            return Fetched(body, kind, response.headers.get("Docker-Content-Digest", ""))

    async def has_manifest(self, ref: str) -> str:
        """Digest that the registry names for a tag; empty where it has none."""
        url = self._url("manifests", ref)
        async with await self._request("HEAD", url, headers={"Accept": ", ".join(MANIFEST_TYPES)}) as response:
            return response.headers.get("Docker-Content-Digest", "") if response.status == 200 else ""

    async def blob(self, digest: str, offset: int = 0) -> aiohttp.ClientResponse:
        """A blob's bytes from an offset on: 206 as asked, or 200 from the start. The caller releases the response.

        Raises:
            NotFound: it is not there.
            Unavailable: the registry failed; try again.
        """
        url = self._url("blobs", digest)
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        response = await self._authorized(lambda: self._send_once("GET", url, headers, None), url)
        if response.status not in {200, 206, 416}:
            async with response:
                raise await _refusal(response, str(url))
        return response

    async def has_blob(self, digest: str) -> bool:
        """The repository has the blob."""
        url = self._url("blobs", digest)
        async with await self._request("HEAD", url) as response:
            if response.status not in {200, 404}:
                raise await _refusal(response, str(url))
            return response.status == 200

    async def begin_upload(self, mount: str = "", origin: str = "") -> URL | None:
        """Where to send a blob; None where it was mounted from another repository and need not be sent."""
        url = self._url("blobs", "uploads") / ""
        if mount:
            url = url.with_query({"mount": mount, "from": origin})
        async with await self._request("POST", url) as response:
            if response.status == 201:
                return None
            if response.status != 202:
                raise await _refusal(response, str(url))
            return self._location(response)

    async def upload_so_far(self, place: URL) -> tuple[URL, int] | None:
        """Where a broken upload goes on, and after how many bytes; None where it has to begin anew."""
        async with await self._request("GET", place) as response:
            there = _SO_FAR.fullmatch(response.headers.get("Range", ""))
            if response.status != 204 or there is None or there[1] == "0":
                return None
            return self._location(response), int(there[1]) + 1

    async def send_chunk(self, place: URL, data: AsyncIterable[bytes], begin: int = 0, end: int = 0) -> URL:
        """Append to an upload; where to go on. ``begin`` and ``end``: which bytes, where some are there already."""
        headers = {"Content-Type": "application/octet-stream"}
        if begin:
            headers |= {"Content-Range": f"{begin}-{end - 1}", "Content-Length": str(end - begin)}
        async with await self._send_once("PATCH", place, headers, data) as response:
            if response.status != 202:
                raise await _refusal(response, "blob upload")
            return self._location(response)

    async def finish_upload(self, place: URL, digest: str) -> None:
        """Close an upload; the registry checks the digest."""
        async with await self._request("PUT", place.update_query(digest=digest)) as response:
            if response.status != 201:
                raise await _refusal(response, "blob upload")

    async def put_manifest(self, ref: str, body: bytes, media_type: str) -> None:
        """Store a manifest under a tag or its digest."""
        url = self._url("manifests", ref)
        async with await self._request("PUT", url, headers={"Content-Type": media_type}, data=body) as response:
            if response.status not in {200, 201, 202}:
                raise await _refusal(response, str(url))

    async def tags(self) -> list[str]:
        """Every tag, page by page."""
        found: list[str] = []
        url = self._url("tags", "list")
        for _ in range(_TAG_PAGES):
            async with await self._request("GET", url) as response:
                if response.status != 200:
                    raise await _refusal(response, str(url))
                body = await read_whole(response, MANIFEST_LIMIT)
                following = _NEXT.search(response.headers.get("Link", ""))
            try:
                found += [str(tag) for tag in json.loads(body).get("tags") or []]
            except (ValueError, AttributeError):
                raise Unavailable("the registry's list of tags is no JSON") from None
            if not following:
                break
            url = url.join(URL(following[1]))
        return found

    def _url(self, *parts: str) -> URL:
        return self._root.joinpath(*self._path.split("/"), *parts)

    def _location(self, response: aiohttp.ClientResponse) -> URL:
        try:
            place = response.url.join(URL(response.headers["Location"], encoded=True))
            place.origin()
        except (KeyError, ValueError):
            raise Unavailable("the registry did not say where to upload to") from None
        if self._transport.base.scheme == "https" and place.scheme != "https":
            place = place.with_scheme("https")
        return place

    async def _request(
        self, method: str, url: URL, *, headers: dict[str, str] | None = None, data: bytes | None = None
    ) -> aiohttp.ClientResponse:
        return await self._authorized(lambda: patiently(lambda: self._send_once(method, url, headers or {}, data)), url)

    async def _authorized(
        self, send: Callable[[], Awaitable[aiohttp.ClientResponse]], url: URL
    ) -> aiohttp.ClientResponse:
        response = await send()
        if response.status == 401 and self._transport.is_own(url):
            challenges = response.headers.getall("WWW-Authenticate", [])
            if await self._authorizer.answer(challenges):
                response.release()
                response = await send()
        return response

    async def _send_once(self, method: str, url: URL, headers: dict[str, str], data: Any) -> aiohttp.ClientResponse:
        auth = self._authorizer.headers if self._transport.is_own(url) else {}
        return await self._transport.request(method, url, headers={**headers, **auth}, data=data)


async def read_whole(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """A whole body.

    Raises:
        Invalid: longer than the limit.
        Unavailable: cut short.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            size += len(part)
            if size > limit:
                raise Invalid(f"the registry's answer is larger than {limit} bytes")
            parts.append(part)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"the registry's answer broke off: {error}") from error
    return b"".join(parts)


async def _refusal(response: aiohttp.ClientResponse, what: str) -> EngineError:
    """A registry's error in our words; its code decides, then the status."""
    try:
        body = await read_whole(response, 1 << 16)
    except EngineError:
        body = b""
    code = ""
    try:
        code = str((json.loads(body).get("errors") or [{}])[0].get("code") or "")
    except (ValueError, AttributeError, IndexError):
        pass
    message = said(body)
    words = code.lower().replace("_", " ") or f"unexpected status {response.status} from {what}"
    text = f"{words}: {message}" if message else words
    if code in {"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN"} or response.status == 404:
        return NotFound(text)
    if code == "DENIED" or response.status == 403:
        return Denied(text)
    if code == "UNAUTHORIZED" or response.status == 401:
        return Unauthorized(text if code else "no basic auth credentials")
    if response.status == TOO_MANY:
        return Busy(text, wanted(response))
    if response.status >= 500:
        return Unavailable(text)
    return System(text)
