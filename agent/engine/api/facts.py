"""Read once at start what ``info`` and ``version`` say of this machine and its programs."""

import hashlib
import re
import shutil
import subprocess
import uuid
from pathlib import Path

from agent.engine.api.schema.system import Facts
from agent.engine.config import EngineConfig
from agent.engine.kernel import machine
from agent.engine.kernel.cgroups import Hierarchy
from agent.engine.runtime.base import Runtime


def _version_of(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=10)
    found = re.search(r"\d+\.\d+(?:\.\d+)?\S*", done.stdout or done.stderr)
    return found[0] if found else ""


def _engine_id(root: Path) -> str:
    try:
        machine_id = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine_id = ""
    digest = hashlib.sha256(f"{machine_id}:{root}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def read(config: EngineConfig, runtime: Runtime, hierarchy: Hierarchy) -> Facts:
    """The facts. Blocks for two short programs."""
    system, node, release, _, machine_name = machine.uname()
    name, version = machine.operating_system()
    memory = hierarchy.directory("/", "memory")
    swap = hierarchy.version == 2 or (memory is not None and (memory / "memory.memsw.limit_in_bytes").exists())
    root = config.root.resolve()
    return Facts(
        engine_id=_engine_id(root),
        root=str(root),
        name=node,
        kernel=release,
        operating_system=name or system,
        os_version=version,
        architecture=machine.architecture(),
        machine=machine_name,
        cpus=machine.cpus(),
        memory=machine.memory(),
        cgroup_version=hierarchy.version,
        swap_limit=swap,
        runtime=runtime.name,
        runtime_version=runtime.version,
        conmon_version=_version_of("conmon"),
        init_version=_version_of("catatonit"),
        seccomp=config.seccomp_profile.exists(),
        labels=config.labels,
        insecure=config.insecure_registries,
        warnings=() if swap else ("WARNING: No swap limit support",),
    )
