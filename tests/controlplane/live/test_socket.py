"""A socket's own rules, without a server."""

import asyncio
import json
from typing import Any

from controlplane.live.app import Browsers, Route
from controlplane.live.socket import Closed, Socket

SELF = "self"


class Somebody:
    """Credentials of a user who may all."""

    session_digest = ""

    class _Access:
        class actor:
            user_id = "u"

    async def access(self) -> Any:
        return self._Access


async def test_what_was_queued_arrives_before_the_end() -> None:
    """The last bytes of a program are still on their way to a slow browser when it has ended."""
    sent: list[dict[str, Any]] = []
    slow = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        await slow.wait()
        sent.append(message)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def serve(socket: Socket, parts: Any, query: Any) -> None:
        for at in range(5):
            await socket.put_bytes(b"%d" % at, 1)
        # the writer has taken the first one by now and waits for the browser
        await asyncio.sleep(0.01)
        socket.put("exit", code=0)
        raise Closed(1000)

    socket = Socket(receive, send, Somebody(), Somebody._Access)  # type: ignore[arg-type]
    browsers = Browsers([])
    done = asyncio.create_task(browsers._serve(socket, Route("/x", SELF, serve), {}, {}))
    await asyncio.sleep(0.1)
    slow.set()
    await asyncio.gather(done, return_exceptions=True)
    assert [one["bytes"] for one in sent[:-1]] == [b"0", b"1", b"2", b"3", b"4"]
    assert json.loads(sent[-1]["text"]) == {"type": "exit", "code": 0}
