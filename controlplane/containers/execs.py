"""Run a program in a container: make the session, or make it, wait for it and bring its output."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from django.db import connections

from controlplane.common.errors import Unavailable
from controlplane.containers.loglines import LogLines
from controlplane.containers.models import Container
from controlplane.gateway import dial

MOST_OUTPUT: Final = 1024 * 1024


def exec_create(*, container: Container, body: Mapping[str, Any]) -> str:
    """Make a session; its socket, or `exec_wait`, starts the program.

    Raises:
        Refusal: the host's, its policy's or its engine's.
    """
    asked = {
        "Cmd": body["command"],
        "User": body.get("user") or "",
        "WorkingDir": body.get("dir") or "",
        "Env": [f"{key}={value}" for key, value in (body.get("env") or {}).items()],
        "Tty": body["tty"],
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
    }
    if body.get("rows") and body.get("cols"):
        asked["ConsoleSize"] = [body["rows"], body["cols"]]
    asked = {name: value for name, value in asked.items() if value not in ("", [])}
    answer = dial.call(container.host_id, "POST", f"/containers/{container.engine_id}/exec", body=asked)
    return str((answer.json() or {})["Id"])


def exec_wait(*, container: Container, exec_id: str, seconds: int) -> dict[str, Any]:
    """Start a session without a terminal and wait for its end.

    The thread waits, but no connection of the database with it.

    Raises:
        Unavailable: it did not end in time, or the host went away.
    """
    connections.close_all()
    return dial.from_thread(_run(container, exec_id, seconds), seconds + 10)


async def _run(container: Container, exec_id: str, seconds: int) -> dict[str, Any]:
    opened = await dial.open_stream(
        container.host_id, "POST", f"/exec/{exec_id}/start", body={"Detach": False, "Tty": False}, upgrade=True
    )
    lines, found, size = LogLines(tty=False), [], 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in opened.chunks():
                size += len(chunk)
                if size > MOST_OUTPUT:
                    break
                found += list(lines.feed(chunk))
    except TimeoutError:
        raise Unavailable(f"The program did not end within {seconds} s", code="exec_timeout") from None
    finally:
        if size > MOST_OUTPUT:
            await opened.close()
    rest = list(lines.end())
    output = b"".join(line + b"\n" for _, line in found) + b"".join(line for _, line in rest)
    stderr = b"".join(line + b"\n" for name, line in found if name == "stderr")
    about = (await dial.call_async(container.host_id, "GET", f"/exec/{exec_id}/json")).json() or {}
    return {
        "id": exec_id,
        "exit_code": about.get("ExitCode"),
        "output": output.decode("utf-8", "replace"),
        "stderr": stderr.decode("utf-8", "replace"),
        "truncated": size > MOST_OUTPUT,
    }
