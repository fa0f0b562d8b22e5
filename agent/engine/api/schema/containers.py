"""Answers about containers as each API version has them. Pure.

Records hold every key that any version had; what a version did not have, or has no more, is cut here.
"""

from typing import Any

from agent.engine.api.versions import Version

Json = dict[str, Any]

# 1.42 dropped the kernel memory limits, which cgroup v2 does not have.
KERNEL_MEMORY_UNTIL: Version = (1, 41)
ANNOTATIONS_SINCE: Version = (1, 43)
# All names by which the network knows the container, in a key of their own …
DNS_NAMES_SINCE: Version = (1, 44)
# … so that the aliases are those that were given.
BARE_ALIASES_SINCE: Version = (1, 45)
PREDEFINED = frozenset({"bridge", "host", "none"})


def host_config(found: Json, version: Version) -> Json:
    """``HostConfig`` for a version."""
    dropped = set()
    if version > KERNEL_MEMORY_UNTIL:
        dropped |= {key for key in ("KernelMemory", "KernelMemoryTCP") if not found.get(key)}
    if version < ANNOTATIONS_SINCE or not found.get("Annotations"):
        dropped.add("Annotations")
    return {key: value for key, value in found.items() if key not in dropped}


def endpoints(found: Json, container: Json, version: Version) -> Json:
    """``NetworkSettings.Networks`` for a version."""
    if version < DNS_NAMES_SINCE:
        return found
    own = [container["Id"][:12], (container.get("Config") or {}).get("Hostname") or ""]
    shown = {}
    for name, end in found.items():
        aliases = [alias for alias in end.get("Aliases") or [] if version < BARE_ALIASES_SINCE or alias not in own]
        names = None
        if name not in PREDEFINED and not name.startswith("container:"):
            names = list(dict.fromkeys([container["Name"].lstrip("/"), *aliases, *(one for one in own if one)]))
        shown[name] = end | {"Aliases": aliases or None, "DNSNames": names}
    return shown


def inspection(found: Json, version: Version) -> Json:
    """A container's inspection for a version."""
    network = found["NetworkSettings"]
    ends = endpoints(network["Networks"], found, version)
    return found | {
        "HostConfig": host_config(found["HostConfig"], version),
        "NetworkSettings": network | {"Networks": ends},
    }
