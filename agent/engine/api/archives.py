"""An archive as the answer to a request: short ones whole, with their length, as Go's server sends them; long ones in
chunks, which are written into the connection's socket past this process.
"""

import asyncio
import base64
import json
from typing import Any

from aiohttp import web

PATH_STAT = "X-Docker-Container-Path-Stat"
_PAUSE = 0.002

Json = dict[str, Any]


class ArchiveAnswer:
    """Receives an archive for one request.

    Args:
        request: who asks.
        content_type: of the answer.
        told: the answer's head tells of the path.
    """

    def __init__(self, request: web.Request, content_type: str, *, told: bool) -> None:
        self._request, self._told = request, told
        self._headers = {"Content-Type": content_type}
        self.answer: web.StreamResponse = web.Response()

    @property
    def socket(self) -> int | None:
        """The connection's own, where bytes can be written into it as they are."""
        transport = self._request.transport
        if transport is None or transport.get_extra_info("ssl_object") or self._request.version < (1, 1):
            return None
        found = transport.get_extra_info("socket")
        return None if found is None else int(found.fileno())

    async def whole(self, stat: Json, data: bytes) -> None:
        """A short one."""
        self._tell(stat)
        self.answer = web.Response(body=data, headers=self._headers)

    async def begin(self, stat: Json) -> None:
        """Send the head, and see that it has gone before anybody else writes."""
        self._tell(stat)
        self.answer = web.StreamResponse(headers=self._headers)
        if self._request.version >= (1, 1):
            self.answer.enable_chunked_encoding()
        await self.answer.prepare(self._request)
        while not self._gone():  # noqa: ASYNC110  a transport tells nobody that its buffer is empty
            await asyncio.sleep(_PAUSE)

    def _gone(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing() or not transport.get_write_buffer_size()

    async def write(self, data: bytes) -> None:
        """The next piece, where it cannot go past us."""
        await self.answer.write(data)

    def _tell(self, stat: Json) -> None:
        if self._told:
            self._headers[PATH_STAT] = stat_header(stat)


def stat_header(stat: Json) -> str:
    """What Docker's clients read a path's stat from."""
    return base64.b64encode(json.dumps(stat, separators=(",", ":")).encode()).decode()
