"""A browser's socket in a test's hands."""

import asyncio
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.link.stack import Stack


async def open_socket(
    stack: Stack,
    path: str,
    user: dict[str, str] | None = None,
    *,
    origin: str | None = "own",
    bearer: bool = False,
    **options: Any,
) -> ClientConnection:
    """Connect as a page does: with the session's cookie and our Origin; or as a program, with a token."""
    headers: dict[str, str] = {}
    if origin is not None:
        headers["Origin"] = stack.url if origin == "own" else origin
    if user is not None and bearer:
        headers["Authorization"] = f"Bearer {user['token']}"
    elif user is not None:
        headers["Cookie"] = f"sessionid={user['session']}"
    return await connect(
        stack.url.replace("http", "ws") + path, additional_headers=headers, max_size=None, compression=None,
        subprotocols=[Subprotocol("longshore.v1")], **options,
    )  # fmt: skip


async def until(socket: ClientConnection, kind: str, seconds: float = 30.0) -> dict[str, Any]:
    """The next JSON message of a type."""
    async with asyncio.timeout(seconds):
        while True:
            message = await socket.recv()
            if isinstance(message, str) and (found := json.loads(message))["type"] == kind:
                return found


async def closing(socket: ClientConnection, seconds: float = 30.0) -> int | None:
    """Wait for the close; its code."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                await socket.recv()
            except Exception:
                break
        await socket.wait_closed()
    return socket.close_code


async def say(socket: ClientConnection, kind: str, **fields: Any) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))
