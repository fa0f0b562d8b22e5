"""Use of CPU, memory, network and disk, every ten seconds, of the host and of what runs on it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from agent.link.docker import Engine, EngineDown, EngineError
from agent.link.facts import HostLoad
from agent.link.inventory import Inventory
from agent.link.reporter import Reporter
from agent.protocol.reports import StatsReport
from agent.protocol.samples import stats as samples_of

EVERY_SECONDS: Final = 10.0
_AT_ONCE: Final = 4
_PART: Final = 200


async def sample_for_ever(engine: Engine, reporter: Reporter) -> None:
    """Report samples until cancelled; an engine that is silent costs its samples only."""
    load = HostLoad()
    before: dict[str, dict[str, Any]] = {}
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        samples: list[StatsReport] = [load.sample()]
        try:
            ids = await Inventory(engine).running()
        except (EngineDown, EngineError):
            ids = []
        gate = asyncio.Semaphore(_AT_ONCE)

        async def read(engine_id: str, gate: asyncio.Semaphore = gate) -> tuple[str, dict[str, Any] | None]:
            async with gate:
                try:
                    path = f"/containers/{engine_id}/stats"
                    return engine_id, await engine.call("GET", path, query={"stream": 0, "one-shot": 1}, seconds=10)
                except (EngineDown, EngineError):
                    return engine_id, None

        found = await asyncio.gather(*(read(engine_id) for engine_id in ids))
        now = {engine_id: sample for engine_id, sample in found if sample}
        samples += [samples_of(engine_id, sample, before.get(engine_id)) for engine_id, sample in now.items()]
        before = now
        for start in range(0, len(samples), _PART):
            reporter.put("stats", items=samples[start : start + _PART])
