"""What this host has for its containers, and what its kernel can limit."""

import os
import resource
from pathlib import Path

from agent.engine.containers.options import security
from agent.engine.containers.options.limits import Machine
from agent.engine.kernel import cgroups, machine


def this_machine(hierarchy: cgroups.Hierarchy) -> Machine:
    """CPUs and memory of the host, and what its cgroups can limit."""
    online = Path("/sys/devices/system/cpu/online")
    nodes = Path("/sys/devices/system/node/online")
    memory, blkio, cpu = (hierarchy.directory("/", name) for name in ("memory", "blkio", "cpu"))
    v2 = hierarchy.version == 2
    swap = v2 or (memory is not None and (memory / "memory.memsw.limit_in_bytes").exists())
    return Machine(
        cpus=os.cpu_count() or 1,
        memory=machine.memory(),
        online=online.read_text().strip() if online.exists() else "",
        nodes=nodes.read_text().strip() if nodes.exists() else "0",
        swap_limit=swap,
        memory_v1=not v2,
        weights="io" in hierarchy.controllers if v2 else blkio is not None and (blkio / "blkio.weight").exists(),
        realtime=not v2 and cpu is not None and (cpu / "cpu.rt_runtime_us").exists(),
        open_files=open_files(),
    )


def open_files() -> int:
    """The most descriptors that a container can be allowed."""
    if "CAP_SYS_RESOURCE" in security.own_capabilities():
        return int(Path("/proc/sys/fs/nr_open").read_text())
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]
