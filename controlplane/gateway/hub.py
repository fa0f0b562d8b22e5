"""The agents' connections that this process holds. One a host: a newer one takes the place of the older."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.protocol.session import Session

SUPERSEDED = 4409
REVOKED = 4403


@dataclass
class AgentConnection:
    """One authenticated connection.

    `greeted`: the hello has left, and what follows it may. `closing` is set with the code and words to close it with.
    """

    host_id: uuid.UUID
    address: str
    boot_id: str
    capabilities: list[str]
    session: Session
    send_text: Callable[[str], Awaitable[None]]
    greeted: asyncio.Event
    epoch: int = 0
    heard_at: float = 0.0
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    why: tuple[int, str] = (1000, "")

    def close(self, code: int, reason: str) -> None:
        """End the connection and every stream on it, now."""
        if not self.closing.is_set():
            self.why = (code, reason)
            self.session.close("link_closed", reason)
            self.closing.set()


class Hub:
    """What this process holds. All methods but `loop` belong to its one event loop."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._held: dict[uuid.UUID, AgentConnection] = {}

    def hold(self, connection: AgentConnection) -> AgentConnection | None:
        """Take a connection in; the one that it replaces is closed and returned."""
        self.loop = asyncio.get_running_loop()
        older = self._held.get(connection.host_id)
        self._held[connection.host_id] = connection
        if older is not None:
            # until it has one of its own, its end is the end of what it replaced
            connection.epoch = older.epoch
            older.close(SUPERSEDED, "a newer connection of this host")
        return older

    def release(self, connection: AgentConnection) -> bool:
        """Let a connection go; whether it was still the host's current one."""
        if self._held.get(connection.host_id) is connection:
            del self._held[connection.host_id]
            return True
        return False

    def get(self, host_id: uuid.UUID) -> AgentConnection | None:
        """The host's connection, if this process holds it."""
        return self._held.get(host_id)

    def all(self) -> list[AgentConnection]:
        """Every connection held."""
        return list(self._held.values())

    async def tell(self, host_id: uuid.UUID, text: str) -> bool:
        """Send a control message to a host; whether this process holds its connection."""
        connection = self._held.get(host_id)
        if connection is None:
            return False
        with contextlib.suppress(Exception):
            await connection.send_text(text)
        return True


HUB = Hub()
"""This process's connections. One a process by nature: a socket cannot be in two."""
