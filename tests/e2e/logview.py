"""A log view as the dashboard keeps one open: it reconnects and resumes, and remembers every number that it saw."""

import asyncio
import json
import ssl
import threading

import websockets

from tests.lab import CONTROL_PLANE, PORT, Lab, LabHost


class LogView(threading.Thread):
    """Follows the container's numbered lines over the browser's WebSocket until ``finish()``."""

    def __init__(self, lab: Lab, host: LabHost, name: str) -> None:
        super().__init__(daemon=True)
        self.lab = lab
        row = None

        def known() -> bool:
            nonlocal row
            rows = lab.api("GET", f"containers/?name={name}&host={host.name}")["results"]
            row = rows[0] if rows else None
            return row is not None

        lab.until(known, f"the record of {name} on {host.name}")
        assert row
        self.container = row["id"]
        self.numbers: list[int] = []
        self.connections = 0
        self._at, self._same = "", 0
        self._ending = threading.Event()

    def run(self) -> None:
        """Connect again and again, each time from the last line that was seen."""
        with self.lab.inside():
            asyncio.run(self._follow())

    def finish(self) -> None:
        """Stop following and wait for the thread."""
        self._ending.set()
        self.join(20)

    def fault(self) -> str:
        """The first place where the numbers jump, for a failure's message."""
        for a, b in zip(self.numbers, self.numbers[1:], strict=False):
            if b != a + 1:
                return f"{self.container}: {a} is followed by {b} after {self.connections} connections"
        return "no jump"

    async def _follow(self) -> None:
        context = ssl.create_default_context(cafile=str(self.lab.data / "tls/ca.pem"))
        while not self._ending.is_set():
            resume = f"&from={self._at}~{self._same}" if self._at else ""
            url = f"wss://{CONTROL_PLANE}:{PORT}/ws/containers/{self.container}/logs?tail=5{resume}"
            try:
                async with websockets.connect(
                    url, ssl=context, subprotocols=[websockets.Subprotocol("longshore.v1")],
                    additional_headers={"Authorization": f"Bearer {self.lab.token}"}, open_timeout=10,
                ) as socket:  # fmt: skip
                    self.connections += 1
                    await self._read(socket)
            except (OSError, TimeoutError, websockets.WebSocketException):
                await asyncio.sleep(0.3)

    async def _read(self, socket: websockets.ClientConnection) -> None:
        while not self._ending.is_set():
            try:
                frame = await asyncio.wait_for(socket.recv(), 1)
            except TimeoutError:
                continue
            message = json.loads(frame)
            if message["type"] != "lines":
                continue
            for at, _, text, *_ in message["lines"]:
                self._same = self._same + 1 if at == self._at else 1
                self._at = at
                self.numbers.append(int(text.split()[1]))
            await socket.send(json.dumps({"type": "ack", "n": len(message["lines"])}))
