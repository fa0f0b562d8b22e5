"""SELinux labels of a container, where the kernel enforces or watches such. Pure but for one look at the host.

A container gets the policy's own type for containers and two random categories, so that two containers cannot read
each other's files; ``--security-opt label=…`` changes parts of it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.engine.errors import Invalid

_ENFORCE = Path("/sys/fs/selinux/enforce")
_CONFIG, _POLICIES = Path("/etc/selinux/config"), Path("/etc/selinux")
CATEGORIES = 1024
PARTS = {"user": 0, "role": 1, "type": 2, "level": 3}


@dataclass(frozen=True, slots=True)
class Labels:
    """Both empty where there is no SELinux, or where it is switched off for the container."""

    process: str = ""
    mount: str = ""


NONE = Labels()


def contexts() -> dict[str, str]:
    """The policy's contexts for containers; empty without SELinux."""
    if not _ENFORCE.exists():
        return {}
    words = dict(line.split("=", 1) for line in _CONFIG.read_text().splitlines() if line.startswith("SELINUXTYPE="))
    file = _POLICIES / words.get("SELINUXTYPE", "targeted").strip() / "contexts" / "lxc_contexts"
    return parse(file.read_text()) if file.exists() else {}


def parse(text: str) -> dict[str, str]:
    """Read ``lxc_contexts``: lines like ``process = "system_u:system_r:container_t:s0"``."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith("#"):
            found[key.strip()] = value.strip().strip('"')
    return found


def categories() -> str:
    """Two random ones of the policy's 1,024."""
    first, second = sorted(secrets.SystemRandom().sample(range(CATEGORIES), 2))
    return f"c{first},c{second}"


def make(options: Sequence[str], known: dict[str, str], level: str) -> Labels:
    """The labels of a container.

    Args:
        options: of ``--security-opt label=``.
        known: of ``contexts``; empty: there is no SELinux, and whatever is asked for has no effect.
        level: categories of this container.

    Raises:
        Invalid: an option that is none.
    """
    if not known or "disable" in options:
        return Labels()
    process, mount = (known.get(key, "").split(":") for key in ("process", "file"))
    if len(process) < 3 or len(mount) < 3:
        return Labels()
    process, mount = [*process[:3], f"s0:{level}"], [*mount[:3], f"s0:{level}"]
    for option in options:
        name, _, value = option.replace("=", ":", 1).partition(":")
        if name == "filetype" and value:
            mount[2] = value
        elif name in PARTS and value:
            process[PARTS[name]] = value
            if name != "type":
                mount[PARTS[name]] = value
        else:
            raise Invalid(
                f"Bad label option \"{option}\", valid options 'disable' or \n'user, role, level, type, filetype'"
                " followed by ':' or '=' and a value"
            )
    mount[1] = known["file"].split(":")[1]
    return Labels(":".join(process), ":".join(mount))
