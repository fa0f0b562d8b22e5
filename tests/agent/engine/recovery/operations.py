"""Every operation that has failpoints: what it needs before, the request itself, and how to take its objects away."""

import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from tests.agent.engine.cli.docker import Docker
from tests.agent.engine.recovery.cast import send

Answer = tuple[int, str]
BUSY = {"Image": "busy", "Cmd": ["sleep", "1000"], "Volumes": {"/data": {}}, "ExposedPorts": {"80/tcp": {}}}
LIFE = {**BUSY, "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8089"}]}}}


@dataclass(frozen=True)
class Operation:
    """``before`` prepares, ``act`` is what fails on the way. Both are done again afterwards, and must work."""

    before: Callable[[Docker], None]
    act: Callable[[Docker], Answer]


def nothing(_: Docker) -> None:
    """No preparation."""


def create(docker: Docker) -> Answer:
    return send(docker, "POST", "/containers/create?name=aa", LIFE)


def created(docker: Docker) -> None:
    _done(create(docker))


def start(docker: Docker) -> Answer:
    return send(docker, "POST", "/containers/aa/start")


def started(docker: Docker) -> None:
    created(docker)
    _done(start(docker))


def stopped(docker: Docker) -> None:
    started(docker)
    _done(send(docker, "POST", "/containers/aa/stop?t=0"))


def paused(docker: Docker) -> None:
    started(docker)
    _done(send(docker, "POST", "/containers/aa/pause"))


def execute(docker: Docker, *, detach: bool) -> Answer:
    made = send(docker, "POST", "/containers/steady-one/exec", {"Cmd": ["sleep", "0.3"], "AttachStdout": not detach})
    if made[0] != 201:
        return made
    return send(docker, "POST", f"/exec/{json.loads(made[1])['Id']}/start", {"Detach": detach})


def network(docker: Docker) -> Answer:
    return send(docker, "POST", "/networks/create", {"Name": "an", "CheckDuplicate": True})


def networked(docker: Docker) -> None:
    _done(network(docker))


def connect(docker: Docker) -> Answer:
    return send(docker, "POST", "/networks/an/connect", {"Container": "aa"})


def connectable(docker: Docker) -> None:
    networked(docker)
    started(docker)


def connected(docker: Docker) -> None:
    connectable(docker)
    _done(connect(docker))


def volume(docker: Docker) -> Answer:
    return send(docker, "POST", "/volumes/create", {"Name": "av"})


def volumed(docker: Docker) -> None:
    _done(volume(docker))


def build(docker: Docker) -> Answer:
    dockerfile = b"FROM busy\nCOPY some /some\nRUN echo hi >/hi\nRUN true\n"
    context = tar({"Dockerfile": dockerfile, "some": os.urandom(5000)})
    return send(docker, "POST", "/build?t=ai:built&forcerm=1", context)


def commit(docker: Docker) -> Answer:
    return send(docker, "POST", "/commit?container=aa&repo=ai&tag=made", {})


def written(docker: Docker) -> None:
    started(docker)
    _done(send(docker, "PUT", "/containers/aa/archive?path=/", tar({"some": os.urandom(5000)})))


def copy(docker: Docker) -> Answer:
    return send(docker, "PUT", "/containers/aa/archive?path=/", tar({"file": b"x" * 5000}))


def tar(files: dict[str, bytes]) -> bytes:
    """Files at the root of an archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _done(answer: Answer) -> None:
    assert answer[0] in {200, 201, 204}, answer


OPERATIONS = {
    "create": Operation(nothing, create),
    "start": Operation(created, start),
    "exec": Operation(nothing, lambda docker: execute(docker, detach=False)),
    "exec detached": Operation(nothing, lambda docker: execute(docker, detach=True)),
    "stop": Operation(started, lambda docker: send(docker, "POST", "/containers/aa/stop?t=0")),
    "pause": Operation(started, lambda docker: send(docker, "POST", "/containers/aa/pause")),
    "unpause": Operation(paused, lambda docker: send(docker, "POST", "/containers/aa/unpause")),
    "kill": Operation(started, lambda docker: send(docker, "POST", "/containers/aa/kill")),
    "clean": Operation(started, lambda docker: send(docker, "POST", "/containers/aa/stop?t=0")),
    "remove": Operation(stopped, lambda docker: send(docker, "DELETE", "/containers/aa?v=1")),
    "network create": Operation(nothing, network),
    "network connect": Operation(connectable, connect),
    "network disconnect": Operation(
        connected, lambda docker: send(docker, "POST", "/networks/an/disconnect", {"Container": "aa"})
    ),
    "network remove": Operation(networked, lambda docker: send(docker, "DELETE", "/networks/an")),
    "volume create": Operation(nothing, volume),
    "volume remove": Operation(volumed, lambda docker: send(docker, "DELETE", "/volumes/av")),
    "build": Operation(nothing, build),
    "commit": Operation(written, commit),
    "copy": Operation(created, copy),
}
"""By the names of ``failpoints.NAMES``; a pull is added by the test, which has the registry."""


def take_away(docker: Docker) -> None:
    """Remove all that an operation, done or half done, may have made: whatever is listed can be removed."""
    for path in ("/containers/aa?force=1&v=1", "/networks/an", "/volumes/av"):
        answer = send(docker, "DELETE", path)
        assert answer[0] in {200, 204, 404}, (path, answer)
    for name in ("ai:built", "ai:made"):
        answer = send(docker, "DELETE", f"/images/{name}?force=1")
        assert answer[0] in {200, 404}, answer
    answer = send(docker, "POST", '/images/prune?filters={"dangling":["true"]}')
    assert answer[0] == 200, answer
