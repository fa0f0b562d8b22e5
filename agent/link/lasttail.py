"""Why a container ended and what it said last, told with its `die` event.

A container that removes itself is gone a moment after its end. Such a one is followed from its start, and its last
lines are kept here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from agent.link.docker import Engine, EngineDown, EngineError
from agent.streams import stdcopy

LINES: Final = 50
_LONGEST: Final = 2000
_PATIENCE: Final = 2.0
_FOLLOWED: Final = 200

Line = list[str]


class LastTails:
    """The last lines of containers that remove themselves; of others they are asked for when needed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._followed: dict[str, tuple[deque[Line], asyncio.Task[None]]] = {}

    def seen(self, event: dict[str, Any]) -> None:
        """Look at an event as it comes in: a start may be that of a container which removes itself."""
        engine_id = str((event.get("Actor") or {}).get("ID") or "")
        if event.get("Type") != "container" or event.get("Action") != "start" or len(self._followed) >= _FOLLOWED:
            return
        if engine_id not in self._followed:
            lines: deque[Line] = deque(maxlen=LINES)
            self._followed[engine_id] = (lines, asyncio.create_task(self._follow(engine_id, lines)))

    async def exit_of(self, engine_id: str, attributes: dict[str, Any]) -> dict[str, Any]:
        """Code, flag, times and last lines of a container that ended just now."""
        facts: dict[str, Any] = {"code": _code(attributes.get("exitCode")), "oom_killed": False, "error": "",
                                 "started_at": "", "finished_at": ""}  # fmt: skip
        try:
            found = await self._engine.call("GET", f"/containers/{engine_id}/json", seconds=_PATIENCE)
            state = found["State"]
            facts |= {"oom_killed": bool(state.get("OOMKilled")), "error": str(state.get("Error") or ""),
                      "started_at": str(state.get("StartedAt") or ""),
                      "finished_at": str(state.get("FinishedAt") or "")}  # fmt: skip
        except (EngineDown, EngineError):
            found = None
        lines, task = self._followed.pop(engine_id, (deque(maxlen=LINES), None))
        if task is not None:
            await asyncio.wait({task}, timeout=_PATIENCE)
            task.cancel()
        # one that ended at once may be gone before it could be followed, or does not remove itself and was not
        if task is not None and (lines or found is None):
            facts["log_tail"] = list(lines)
        elif found is not None:
            lines = deque(maxlen=LINES)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._read(engine_id, bool(found["Config"].get("Tty")), lines, follow=False)
                facts["log_tail"] = list(lines)
            except (EngineDown, EngineError, TimeoutError):
                pass
        return facts

    async def _follow(self, engine_id: str, lines: deque[Line]) -> None:
        try:
            found = await self._engine.call("GET", f"/containers/{engine_id}/json", seconds=_PATIENCE)
            if not (found.get("HostConfig") or {}).get("AutoRemove"):
                self._followed.pop(engine_id, None)
                return
            await self._read(engine_id, bool(found["Config"].get("Tty")), lines, follow=True)
        except (EngineDown, EngineError):
            pass

    async def _read(self, engine_id: str, tty: bool, lines: deque[Line], *, follow: bool) -> None:
        query = {"stdout": 1, "stderr": 1, "timestamps": 1, "tail": LINES, "follow": int(follow)}
        exchange = await self._engine.open("GET", f"/containers/{engine_id}/logs", query=query)
        try:
            if exchange.status != 200:
                raise EngineError(exchange.status, "no log")
            frames, rest = stdcopy.Reader(), {1: b"", 2: b""}
            async for chunk in exchange.chunks():
                for stream, data in [(1, chunk)] if tty else frames.feed(chunk):
                    *whole, rest[stream] = (rest.get(stream, b"") + data).split(b"\n")
                    lines.extend(_line(stream, line) for line in whole)
            lines.extend(_line(stream, line) for stream, line in rest.items() if line)
        except stdcopy.BadFrame:
            pass
        finally:
            exchange.close()


def _line(stream: int, raw: bytes) -> Line:
    at, _, text = raw.partition(b" ")
    return [at.decode(errors="replace"), "e" if stream == 2 else "o", text[:_LONGEST].decode(errors="replace")]


def _code(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
