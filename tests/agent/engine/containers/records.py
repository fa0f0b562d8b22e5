"""Container records for tests of pure modules."""

from typing import Any

from agent.engine.containers.options import config, hostconfig
from agent.engine.state.records import ContainerRecord

ID = "ab" * 32


def record(host: dict[str, Any] | None = None, **body: Any) -> ContainerRecord:
    """A container as ``create`` would make it from this request."""
    full = config.completed({"Image": "busy", "Cmd": ["true"], **body}, {}, ID)
    program, arguments = config.command(full)
    return ContainerRecord(
        id=ID,
        name="aa",
        created_ns=1,
        path=program,
        args=arguments,
        config=full,
        host_config=hostconfig.completed(host or {}, cgroup_version=1, shm_size=64 << 20, runtime="crun"),
        image_id="sha256:" + "00" * 32,
        image_ref="busy",
    )
