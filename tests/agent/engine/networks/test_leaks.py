"""Nothing is left of containers that have come and gone."""

import asyncio
import os
import time
from pathlib import Path

from tests.agent.engine.networks.bench import Bench, Namespace
from tests.agent.engine.networks.wire import bound


def _held() -> tuple[int, int]:
    """Open descriptors and tasks."""
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())


async def _round(bench: Bench) -> None:
    names = [f"c{number}" for number in range(10)]
    found = await asyncio.gather(
        *(bench.start(name, mode="net" if number % 2 else "default", ports=bound(":80", ":81/udp"))
          for number, name in enumerate(names))
    )  # fmt: skip
    addresses = [settings["IPAddress"] for one in found for settings in one.endpoints.values()]
    assert len(set(addresses)) == 10
    ports = [binding["HostPort"] for one in found for bindings in one.ports.values() for binding in bindings or ()]
    assert len(set(ports)) == 20
    await asyncio.gather(*(bench.stop(name) for name in names))
    # Transports give their sockets back on the loop's next turns.
    await asyncio.sleep(0.05)


async def _with_stand_in(bench: Bench, name: str) -> None:
    """One that stays, and with it the stand-in, which else would come and go."""
    await bench.start(name, ports=bound("8080:80"))
    await bench.service.ops.parking.settle()


async def test_it_leaves_nothing(bench: Bench, namespace: Namespace) -> None:
    await bench.service.create({"Name": "net"})
    await _with_stand_in(bench, "stays")
    await _round(bench)
    before = _held(), namespace.sh("nft list ruleset")
    for _ in range(3):
        await _round(bench)
    assert (_held(), namespace.sh("nft list ruleset")) == before
    await bench.stop("stays")
    assert list(bench.paths.namespaces.iterdir()) == []
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(bench.paths.run) in line]
    assert namespace.sh("ss -Hltnu").strip() == ""


async def test_a_failed_start_leaves_nothing(bench: Bench, namespace: Namespace) -> None:
    async def fail() -> None:
        results = await asyncio.gather(
            *(bench.start(f"c{number}", ports=bound(":81", "8080:80")) for number in range(8)), return_exceptions=True
        )
        assert all(isinstance(result, Exception) for result in results)

    await _with_stand_in(bench, "holder")
    # Every worker opens its own sockets when it is first used.
    await asyncio.gather(*(bench.service.ops.workers.run(lambda _: time.sleep(0.1)) for _ in range(4)))
    before = _held(), namespace.sh("nft list ruleset; ss -Hltnu")
    for _ in range(3):
        await fail()
    assert (_held(), namespace.sh("nft list ruleset; ss -Hltnu")) == before
    one = await bench.start("one")
    assert one.endpoints["bridge"]["IPAddress"] == "172.17.0.3"
