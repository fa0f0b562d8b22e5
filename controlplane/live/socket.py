"""One browser's socket: JSON and bytes both ways, a bounded queue out, limits in, rights that are asked again."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from controlplane.common.access import Access
from controlplane.live.credentials import Credentials

PROTOCOL: Final = "longshore.v1"
LARGEST_FRAME: Final = 64 * 1024
MOST_FRAMES: Final = 256
MOST_BYTES: Final = 1 << 20

BAD_MESSAGE: Final = 4400
UNKNOWN: Final = 4401
DENIED: Final = 4403
NOT_FOUND: Final = 4404
WRONG_STATE: Final = 4409
HOST_OFFLINE: Final = 4503
TOO_LARGE: Final = 1009
TOO_SLOW: Final = 1013
RESTART: Final = 1012

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Closed(Exception):
    """The socket is to be closed: code and words. 0 for one that is closed already."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Socket:
    """A socket that was accepted. Each application has one reader and any number of writers."""

    def __init__(self, receive: Receive, send: Send, credentials: Credentials, access: Access) -> None:
        self._receive = receive
        self._send = send
        self.credentials = credentials
        self.access = access
        # raises when the rights that the socket was opened with are gone
        self.still_allowed: Callable[[Access], None] | None = None
        self._queue: deque[tuple[str | bytes, bool]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._finishing = False
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.dropped = 0

    async def read(self) -> dict[str, Any] | bytes:
        """The next message: an object with `type`, or bytes.

        Raises:
            Closed: the browser left, or sent what it must not.
        """
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Closed(0)
        data = message.get("bytes")
        if data is not None:
            if len(data) > LARGEST_FRAME:
                raise Closed(TOO_LARGE, "a frame over 64 KiB")
            return bytes(data)
        text = message.get("text") or ""
        if len(text) > LARGEST_FRAME or len(text.encode()) > LARGEST_FRAME:
            raise Closed(TOO_LARGE, "a frame over 64 KiB")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise Closed(BAD_MESSAGE, "a message that is not JSON") from None
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            raise Closed(BAD_MESSAGE, "a message without a type")
        return value

    def offer(self, kind: str, /, **fields: Any) -> bool:
        """Queue an object that may be lost: the oldest such one leaves when the queue is full. Whether none left."""
        return self._push(_json(kind, fields), droppable=True)

    def put(self, kind: str, /, **fields: Any) -> None:
        """Queue an object that must arrive."""
        self._push(_json(kind, fields), droppable=False)

    async def put_bytes(self, data: bytes, patience: float) -> None:
        """Queue bytes, waiting for room.

        Raises:
            Closed: the browser takes nothing for too long.
        """
        try:
            async with asyncio.timeout(patience):
                await self._room.wait()
        except TimeoutError:
            raise Closed(TOO_SLOW, "the browser is too slow") from None
        self._push(data, droppable=False)

    async def put_wait(self, kind: str, patience: float, /, **fields: Any) -> bool:
        """Queue an object, waiting for room for a while; whether there was any."""
        try:
            async with asyncio.timeout(patience):
                await self._room.wait()
        except TimeoutError:
            return False
        self._push(_json(kind, fields), droppable=False)
        return True

    async def put_alone(self, kind: str, /, **fields: Any) -> float:
        """Queue an object and wait until nothing is queued any more; how many seconds that took.

        What waits for a slow browser so waits where it can still be left out.
        """
        began = time.monotonic()
        self._push(_json(kind, fields), droppable=False)
        await self._empty.wait()
        return time.monotonic() - began

    async def write(self) -> None:
        """Send what is queued, until told to finish. Cancelled, it loses the frame that it is about to send.

        Raises:
            Closed: the browser left.
        """
        while True:
            while self._queue:
                frame, _ = self._queue.popleft()
                self._bytes -= len(frame)
                self._check_room()
                await self._send_frame(frame)
            if self._finishing:
                return
            self._wake.clear()
            await self._wake.wait()

    def finish(self) -> None:
        """Nothing more will be queued: `write` ends once all is sent."""
        self._finishing = True
        self._wake.set()

    async def _send_frame(self, frame: str | bytes) -> None:
        key = "text" if isinstance(frame, str) else "bytes"
        try:
            await self._send({"type": "websocket.send", key: frame})
        except Exception as error:
            # each server has its own exception for a peer that is gone
            raise Closed(0) from error

    def _push(self, frame: str | bytes, *, droppable: bool) -> bool:
        lost = False
        if droppable and self._full():
            lost = self._drop_oldest()
        self._queue.append((frame, droppable))
        self._bytes += len(frame)
        self._check_room()
        self._wake.set()
        return not lost

    def _drop_oldest(self) -> bool:
        for index, (frame, droppable) in enumerate(self._queue):
            if droppable:
                del self._queue[index]
                self._bytes -= len(frame)
                self.dropped += 1
                return True
        return False

    def _full(self) -> bool:
        return len(self._queue) >= MOST_FRAMES or self._bytes >= MOST_BYTES

    def _check_room(self) -> None:
        if self._queue:
            self._empty.clear()
        else:
            self._empty.set()
        if self._full():
            self._room.clear()
        else:
            self._room.set()


def _json(kind: str, fields: dict[str, Any]) -> str:
    return json.dumps({"type": kind, **fields}, separators=(",", ":"), ensure_ascii=False)


async def until_first(*work: Coroutine[Any, Any, None]) -> None:
    """Do several things at once until one of them ends; what it raises is raised, the others are let go."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
