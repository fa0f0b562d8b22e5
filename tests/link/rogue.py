"""An agent that keeps to the handshake and to nothing else."""

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from agent.link.keys import HostKey, Trusted, load_or_make
from agent.link.settings import Identity, read_identity, settings_for
from agent.link.transport import open_link
from agent.protocol import versions
from agent.protocol.mux import Side
from agent.protocol.session import Session, Stream


class Rogue:
    """One connection of an enrolled host, in a test's hands."""

    def __init__(self, state: Path, boot_id: str = "a-boot") -> None:
        settings = settings_for(state, "unix:///nowhere")
        self.identity: Identity = read_identity(settings)
        self.key: HostKey = load_or_make(settings)
        self.boot_id = boot_id
        self.n = 0
        self.control: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> "Rogue":
        opened = await open_link(self.identity, self.key, Trusted(self.identity.keys), self.boot_id)
        self.socket = opened.socket
        self.session = Session(Side.AGENT, self.socket.send, self._opened)
        self.offered: asyncio.Queue[tuple[Stream, str, dict[str, Any]]] = asyncio.Queue()
        self.reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reading.cancel()
        await self.socket.close()

    def _opened(self, stream: Stream, target: str, head: dict[str, Any]) -> None:
        self.offered.put_nowait((stream, target, head))

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                if isinstance(message, bytes):
                    self.session.feed(message)
                else:
                    self.control.put_nowait(json.loads(message))
        finally:
            self.session.close()
            if not self.closed.done():
                self.closed.set_result((self.socket.close_code or 1006, self.socket.close_reason or ""))

    async def say(self, kind: str, /, **fields: Any) -> int:
        """Send a report with its number."""
        self.n += 1
        await self.socket.send(json.dumps({"type": kind, "n": self.n, **fields}))
        return self.n

    async def answer_to(self, n: int, seconds: float = 5.0) -> dict[str, Any]:
        """The ack or refusal of a report."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.control.get()
                if message.get("n") == n:
                    return message

    async def until(self, kind: str, seconds: float = 5.0) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                message = await self.control.get()
                if message["type"] == kind:
                    return message


def enrol_request(join: str, key: HostKey, **changes: Any) -> dict[str, Any]:
    """The body that enrols, with what a test changes in it."""
    url, _, token = join.split("#")
    facts = json.dumps({"hostname": "x", "protocol": versions.PROTOCOL})
    statement = versions.enrol_statement(
        url, hashlib.sha256(token.encode()).hexdigest(), key.public.hex(), hashlib.sha256(facts.encode()).hexdigest()
    )
    body = {"token": token, "public_key": key.public.hex(), "facts": facts,
            "sig": base64.b64encode(key.sign(statement)).decode()}  # fmt: skip
    return body | changes
