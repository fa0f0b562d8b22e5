"""Answers about containers as each API version has them. Pure.

Records hold every key that any version had; what a version did not have, or has no more, is cut here.
"""

from typing import Any

from agent.engine.api.versions import Version

Json = dict[str, Any]

# 1.42 dropped the kernel memory limits, which cgroup v2 does not have.
KERNEL_MEMORY_UNTIL: Version = (1, 41)
ANNOTATIONS_SINCE: Version = (1, 43)
CGROUPNS_SINCE: Version = (1, 41)


def host_config(found: Json, version: Version) -> Json:
    """``HostConfig`` for a version."""
    dropped = set()
    if version > KERNEL_MEMORY_UNTIL:
        dropped |= {key for key in ("KernelMemory", "KernelMemoryTCP") if not found.get(key)}
    if version < ANNOTATIONS_SINCE or not found.get("Annotations"):
        dropped.add("Annotations")
    if version < CGROUPNS_SINCE:
        dropped.add("CgroupnsMode")
    return {key: value for key, value in found.items() if key not in dropped}


def inspection(found: Json, version: Version) -> Json:
    """A container's inspection for a version."""
    return found | {"HostConfig": host_config(found["HostConfig"], version)}
