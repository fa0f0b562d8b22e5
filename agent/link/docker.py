"""A small Docker Engine API client over a unix socket, one connection a call.

Calls go to paths without a version: each engine then answers in the newest version it has. Streams are handed out as
they come, hijacked ones (exec, attach) with both directions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from agent.streams import jsonlines

_HEAD_LIMIT: Final = 64 * 1024
_CHUNK: Final = 32 * 1024
CONNECT_SECONDS: Final = 5.0


class EngineDown(Exception):
    """The engine did not answer. `sent`: it may have seen the request. `hung`: it may still be at it."""

    def __init__(self, message: str, *, sent: bool, hung: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.hung = hung


class EngineError(Exception):
    """The engine answered with an error: its status, its words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Exchange:
    """One request under way: status and headers are known, the body is still on the wire."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, headers: dict[str, str]
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.status = status
        self.headers = headers

    @property
    def upgraded(self) -> bool:
        """Whether the connection is now raw bytes both ways."""
        return self.status == 101 or self.headers.get("content-type", "").startswith("application/vnd.docker.raw")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            EngineDown: the connection broke before the body's end.
        """
        try:
            if "chunked" in self.headers.get("transfer-encoding", ""):
                async for chunk in self._chunked():
                    yield chunk
            elif "content-length" in self.headers and not self.upgraded:
                left = int(self.headers["content-length"])
                while left:
                    chunk = await self.reader.read(min(left, _CHUNK))
                    if not chunk:
                        raise EngineDown("the engine's answer ended early", sent=True)
                    left -= len(chunk)
                    yield chunk
            elif self.status not in {204, 304}:
                while chunk := await self.reader.read(_CHUNK):
                    yield chunk
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            raise EngineDown(f"the engine's answer broke off: {error}", sent=True) from None

    async def _chunked(self) -> AsyncIterator[bytes]:
        while True:
            size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
            left = size
            while left:
                chunk = await self.reader.read(min(left, _CHUNK))
                if not chunk:
                    raise EngineDown("the engine's answer ended early", sent=True)
                left -= len(chunk)
                yield chunk
            await self.reader.readexactly(2)
            if not size:
                return

    async def body(self, limit: int = 64 << 20) -> bytes:
        """The whole body.

        Raises:
            EngineDown: broken off. EngineError: longer than `limit`.
        """
        parts, size = [], 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise EngineError(502, "the engine's answer is too long")
            parts.append(chunk)
        return b"".join(parts)

    def close(self) -> None:
        self.writer.close()


class Engine:
    """The engine of this host."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    async def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterator[bytes] | None = None,
    ) -> Exchange:
        """Send a request and read the head of its answer. The caller closes the exchange.

        Raises:
            EngineDown: no engine, or it went away.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self.socket), limit=_HEAD_LIMIT)
        except (OSError, TimeoutError) as error:
            raise EngineDown(f"the engine does not answer on {self.socket}: {error}", sent=False) from None
        try:
            writer.write(_head(method, path, query, headers, body))
            if isinstance(body, bytes):
                writer.write(body)
            elif body is not None:
                # the engine may refuse before it has read all, so the body goes out beside the wait for the answer
                return await self._with_body(reader, writer, body)
            await writer.drain()
            return Exchange(reader, writer, *await _answer(reader))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            writer.close()
            raise EngineDown(f"the engine went away: {error}", sent=True) from None
        except BaseException:
            writer.close()
            raise

    async def _with_body(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: AsyncIterator[bytes]
    ) -> Exchange:
        async def send() -> None:
            async for chunk in body:
                if chunk:
                    writer.write(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
                    await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()

        sending = asyncio.create_task(send())
        answering = asyncio.create_task(_answer(reader))
        try:
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
            # a body that could not be read is the caller's error; a socket that closed has its answer on the way
            if sending.done() and (error := sending.exception()) and not isinstance(error, OSError):
                raise error
            status, headers = await answering
        except BaseException:
            sending.cancel()
            answering.cancel()
            raise
        sending.add_done_callback(lambda task: task.cancelled() or task.exception())
        return Exchange(reader, writer, status, headers)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> Any:
        """One call with JSON both ways; None for an empty answer.

        Raises:
            EngineDown: no answer in time. EngineError: status 400 or more.
        """
        content = None if body is None else json.dumps(body).encode()
        all_headers = {**({"Content-Type": "application/json"} if content is not None else {}), **(headers or {})}
        try:
            async with asyncio.timeout(seconds):
                exchange = await self.open(method, path, query=query or "", headers=all_headers, body=content)
                try:
                    raw = await exchange.body()
                finally:
                    exchange.close()
        except TimeoutError:
            raise EngineDown(
                f"the engine did not answer {method} {path} in {seconds:.0f} s", sent=True, hung=True
            ) from None
        if exchange.status >= 400:
            raise EngineError(exchange.status, error_text(raw))
        if not raw.strip():
            return None
        try:
            return json.loads(raw)
        except ValueError:
            raise EngineError(502, "the engine's answer is not JSON") from None

    async def lines(self, exchange: Exchange) -> AsyncIterator[dict[str, Any]]:
        """The JSON objects of a streamed answer, one a line (events, pull, build)."""
        reader = jsonlines.Reader()
        try:
            async for chunk in exchange.chunks():
                for value in reader.feed(chunk):
                    yield _object(value)
            for value in reader.end():
                yield _object(value)
        except jsonlines.BadLine:
            raise EngineError(502, "the engine's stream is not JSON") from None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def error_text(raw: bytes) -> str:
    """The engine's words out of an error's body."""
    try:
        message = json.loads(raw)["message"]
    except (ValueError, KeyError, TypeError):
        return raw.decode(errors="replace").strip()[:2000]
    return str(message)


def _head(
    method: str,
    path: str,
    query: Mapping[str, Any] | str,
    headers: Mapping[str, str] | None,
    body: bytes | AsyncIterator[bytes] | None,
) -> bytes:
    text = query if isinstance(query, str) else urlencode(query, doseq=True)
    lines = [f"{method} {path}{'?' + text if text else ''} HTTP/1.1", "Host: docker"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if not any(name.lower() == "connection" for name in headers or {}):
        lines.append("Connection: close")
    if isinstance(body, bytes):
        lines.append(f"Content-Length: {len(body)}")
    elif body is not None:
        lines.append("Transfer-Encoding: chunked")
    elif method in {"POST", "PUT"}:
        lines.append("Content-Length: 0")
    if any("\r" in line or "\n" in line for line in lines):
        raise EngineError(400, "a line break in a request")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="strict")


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ", 2)[1])
        headers: dict[str, str] = {}
        for line in head[1:]:
            name, _, value = line.partition(":")
            if name:
                headers[name.strip().lower()] = value.strip()
        if status != 100:
            return status, headers
