"""Logs over a socket: batches, acknowledgements, resuming by time and count. W3 and W5."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection

from tests.link.browser import closing, open_socket, say, until
from tests.link.stack import Stack, wait_for
from tests.link.test_orders import docker


@pytest.fixture
def owner(stack: Stack) -> dict[str, str]:
    return stack.do("user", "reader-1", "owner")


@pytest.fixture
def run(stack: Stack, host: str, engine: str, name: str) -> Iterator[object]:
    """Run a program in a container; the record's id."""

    def begin(*command: str) -> str:
        docker(engine, "run", "-d", "--name", name, "lnk-busybox:1", *command)
        rows = wait_for(lambda: [one for one in stack.do("containers", host) if one["name"] == name], 30)
        return rows[0]["id"]

    yield begin
    docker(engine, "rm", "-f", name)


async def collect(socket: ClientConnection, count: int, *, ack: bool = True, seconds: float = 20) -> list[list[str]]:
    lines: list[list[str]] = []
    async with asyncio.timeout(seconds):
        while len(lines) < count:
            message = json.loads(await socket.recv())
            if message["type"] == "lines":
                assert message["n"] == len(message["lines"]) <= 64
                lines += message["lines"]
                if ack:
                    await say(socket, "ack", n=message["n"])
            elif message["type"] in {"end", "problem"}:
                break
    return lines


def resume(lines: list[list[str]]) -> str:
    last = lines[-1][0]
    return f"{last}~{sum(1 for line in lines if line[0] == last)}"


async def test_it_works(stack: Stack, owner: dict[str, str], run: object) -> None:
    container = await asyncio.to_thread(run, "sh", "-c", "echo out; echo err >&2; exit 4")  # type: ignore[arg-type]
    async with await open_socket(stack, f"/ws/containers/{container}/logs?tail=all", owner) as socket:
        lines = await collect(socket, 2)
        assert sorted(line[1:] for line in lines) == [["e", "err"], ["o", "out"]]
        assert (await until(socket, "end"))["exit_code"] == 4


async def test_following_resumes_without_a_gap_or_a_repeat(stack: Stack, owner: dict[str, str], run: object) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); [ $((i % 300)) = 0 ] && sleep 0.3; done; sleep 600"
    container = await asyncio.to_thread(run, "sh", "-c", script)  # type: ignore[arg-type]
    lines: list[list[str]] = []
    path = f"/ws/containers/{container}/logs"
    for wanted in (200, 500, 900, 1400, 3000):
        query = f"?from={resume(lines)}" if lines else "?tail=all"
        async with await open_socket(stack, path + query, owner) as socket:
            lines += await collect(socket, wanted - len(lines))
    assert [line[2] for line in lines] == [str(n) for n in range(3000)]


async def test_a_link_that_dies_costs_no_line(
    stack: Stack, host: str, engine: str, owner: dict[str, str], run: object
) -> None:
    script = "i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.1; done; sleep 600"
    container = await asyncio.to_thread(run, "sh", "-c", script)  # type: ignore[arg-type]
    async with await open_socket(stack, f"/ws/containers/{container}/logs?tail=all", owner) as socket:
        lines = await collect(socket, 5)
        stack.agents[host].kill()
        stack.link(host, engine)
        lines += await collect(socket, 60 - len(lines), seconds=40)
    assert [line[2] for line in lines] == [str(n) for n in range(60)]


async def test_w3_a_slow_reader_is_told_what_it_missed_and_holds_up_nobody(
    stack: Stack, owner: dict[str, str], run: object
) -> None:
    container = await asyncio.to_thread(run, "sh", "-c", "yes 0123456789012345678901234567890123456789")  # type: ignore[arg-type]
    path = f"/ws/containers/{container}/logs?tail=0"
    async with await open_socket(stack, path, owner) as slow, await open_socket(stack, path, owner) as quick:
        assert await collect(quick, 20_000, seconds=30)
        # never acknowledged: the window fills, then the oldest leave
        await collect(slow, 4_000, ack=False, seconds=30)
        await asyncio.sleep(5)
        await say(slow, "ack", n=5_000)
        assert (await until(slow, "dropped", 20))["lines"] > 0
        await say(slow, "ack", n=100_000)
        assert await collect(slow, 100)


async def test_w5_escapes_and_markup_come_as_they_are(stack: Stack, owner: dict[str, str], run: object) -> None:
    text = r"\033]52;c;aGk=\007 </script> \033[31mred \000 end"
    container = await asyncio.to_thread(run, "printf", text + r"\n")  # type: ignore[arg-type]
    async with await open_socket(stack, f"/ws/containers/{container}/logs?tail=all", owner) as socket:
        [line] = await collect(socket, 1)
    assert line[2] == "\x1b]52;c;aGk=\x07 </script> \x1b[31mred \x00 end"


@pytest.mark.parametrize(
    "query", ["tail=-1", "tail=x", "from=now~1", "from=2026-01-01T00:00:00Z~x", "stream=both", "since=x"]
)
async def test_bad_parameters_are_4400(stack: Stack, host: str, owner: dict[str, str], query: str) -> None:
    container = stack.do("container", host, "a" * 64)
    assert await closing(await open_socket(stack, f"/ws/containers/{container}/logs?{query}", owner)) == 4400
