"""The little of HTTP that the registry needs, on plain ASGI: bodies are streams, in and out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
LARGEST_FORM = 64 * 1024


class ClientGone(Exception):
    """The client closed the connection before its body was whole."""


class Request:
    """One request."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: dict[str, list[str]] = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        self.headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.client: str = (scope.get("client") or ("", 0))[0]

    def parameter(self, name: str, default: str = "") -> str:
        """A query parameter; the first, if it is given more than once."""
        return self.query.get(name, [default])[0]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes in; raises ClientGone."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            if body := message.get("body", b""):
                yield body
            more = message.get("more_body", False)

    async def body(self, limit: int) -> bytes | None:
        """The whole body, or None if it is larger than `limit`; the rest is then left unread."""
        if int(self.headers.get("content-length") or 0) > limit:
            return None
        whole = bytearray()
        async for chunk in self.chunks():
            whole += chunk
            if len(whole) > limit:
                return None
        return bytes(whole)


class Response:
    """One answer; `stream` follows `body`."""

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        stream: AsyncIterator[bytes] | None = None,
    ) -> None:
        self.status = status
        self.headers = {"Docker-Distribution-Api-Version": "registry/2.0", "X-Content-Type-Options": "nosniff"}
        self.headers |= dict(headers or {})
        self.body = body
        self.stream = stream

    async def send(self, send: Send, *, head: bool) -> None:
        """Send it; of a HEAD's answer the headers alone."""
        if "Content-Length" not in self.headers:
            self.headers["Content-Length"] = str(len(self.body))
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": raw})
        if self.stream is not None and not head:
            async for chunk in self.stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": b"" if head else self.body})
