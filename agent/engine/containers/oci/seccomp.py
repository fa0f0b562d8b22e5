"""The system calls a container may make: Debian's profile, tightened to what Docker's default allows.

``profile`` gives the OCI section for a set of capabilities. It is a pure function of profile and capabilities; what the
runtime compiles from it is kept by its hash (``FilterCache``), because compiling takes half of a start.
"""

import base64
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.engine.errors import Invalid
from agent.engine.kernel import files

Json = dict[str, Any]

ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
EPERM, ENOSYS = 1, 38

NEW_NAMESPACES = 0x7E020000
"""All CLONE_NEW* flags of clone(2)."""
AF_ALG, AF_VSOCK, AF_MAX = 38, 40, 46
AF_NETLINK, NETLINK_AUDIT = 16, 9

_GATES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("CAP_SYS_ADMIN",),
        (
            "unshare", "setns", "mount", "mount_setattr", "umount", "umount2", "pivot_root", "fsopen", "fsconfig",
            "fsmount", "fspick", "move_mount", "open_tree", "keyctl", "add_key", "request_key", "pidfd_getfd", "clone3",
        ),
    ),
    (("CAP_SYS_ADMIN", "CAP_SYSLOG"), ("syslog",)),
    (("CAP_SYS_BOOT",), ("reboot",)),
    (("CAP_SYS_NICE",), ("mbind", "get_mempolicy", "set_mempolicy", "set_mempolicy_home_node")),
)  # fmt: skip
"""Calls that the base profile allows to all, and the capabilities of which one is needed."""

# socketcall hides the address family behind a pointer, where no filter can look.
_RULED_APART = frozenset({"clone", "socket", "socketcall"})


def _equal(index: int, value: int) -> Json:
    return {"index": index, "value": value, "valueTwo": 0, "op": "SCMP_CMP_EQ"}


def _rule(names: Sequence[str], args: Sequence[Json] = (), action: str = ALLOW, errno: int | None = None) -> Json:
    rule: Json = {"names": list(names), "action": action}
    if errno is not None:
        rule["errnoRet"] = errno
    if args:
        rule["args"] = list(args)
    return rule


def _applies(group: Mapping[str, Any], held: frozenset[str], arch: str) -> bool:
    includes, excludes = group.get("includes") or {}, group.get("excludes") or {}
    if (arches := includes.get("arches")) and arch not in arches:
        return False
    if arch in (excludes.get("arches") or ()):
        return False
    if not set(includes.get("caps") or ()) <= held:
        return False
    return not (set(excludes.get("caps") or ()) & held)


def _socket_rules(held: frozenset[str]) -> list[Json]:
    """All families but AF_ALG and AF_VSOCK; the audit socket only with its capability.

    Each family by its own equality: the kernel looks at 32 bits of a 64-bit argument, so "not 38" could be passed by
    setting a high bit.
    """
    families = [family for family in range(AF_MAX) if family not in {AF_ALG, AF_VSOCK, AF_NETLINK}]
    rules = [_rule(["socket"], [_equal(0, family)]) for family in families]
    if "CAP_AUDIT_WRITE" in held:
        return [*rules, _rule(["socket"], [_equal(0, AF_NETLINK)])]
    others = [_equal(0, AF_NETLINK), {"index": 2, "value": NETLINK_AUDIT, "valueTwo": 0, "op": "SCMP_CMP_NE"}]
    return [*rules, _rule(["socket"], others)]


def section(profile: Mapping[str, Any], capabilities: Sequence[str], arch: str = "amd64") -> Json:
    """The OCI ``linux.seccomp`` of the default profile for a container with these capabilities."""
    held = frozenset(capabilities)
    gated = {name for _, names in _GATES for name in names}
    rules: list[Json] = []
    for group in profile["syscalls"]:
        if not _applies(group, held, arch):
            continue
        kept = [name for name in group["names"] if name not in gated and name not in _RULED_APART]
        if kept:
            rules.append(_rule(kept, group.get("args") or (), group["action"], group.get("errnoRet")))
    for needed, names in _GATES:
        if held & set(needed):
            rules.append(_rule(names))
        else:
            refused = [name for name in names if name != "clone3"]
            rules.append(_rule(refused, (), ERRNO, EPERM))
    if "CAP_SYS_ADMIN" in held:
        rules.append(_rule(["clone"]))
    else:
        flags = {"index": 0, "value": NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
        rules.append(_rule(["clone"], [flags]))
        # Its flags lie behind a pointer; the C library falls back to clone.
        rules.append(_rule(["clone3"], (), ERRNO, ENOSYS))
    rules += _socket_rules(held)
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", EPERM),
        "architectures": _architectures(profile, arch),
        "syscalls": rules,
    }


def custom(text: str, capabilities: Sequence[str], arch: str = "amd64") -> Json:
    """The section of a client's own profile, in Docker's form.

    Raises:
        Invalid: it is no profile.
    """
    profile = json.loads(text)
    held = frozenset(capabilities)
    try:
        rules = [
            _rule(
                group.get("names") or [group["name"]], group.get("args") or (), group["action"], group.get("errnoRet")
            )
            for group in profile.get("syscalls") or []
            if _applies(group, held, arch)
        ]
    except (KeyError, TypeError) as error:
        raise Invalid(f"the seccomp profile is not valid: {error}") from error
    found: Json = {"defaultAction": profile["defaultAction"], "syscalls": rules}
    if "defaultErrnoRet" in profile:
        found["defaultErrnoRet"] = profile["defaultErrnoRet"]
    if architectures := profile.get("architectures") or _architectures(profile, arch):
        found["architectures"] = architectures
    return found


def _architectures(profile: Mapping[str, Any], arch: str) -> list[str]:
    main = {"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}[arch]
    for entry in profile.get("archMap") or []:
        if entry["architecture"] == main:
            return [main, *(entry.get("subArchitectures") or [])]
    return [main] if profile.get("archMap") else []


class FilterCache:
    """Compiled filters by the hash of their section, in memory and on disk."""

    def __init__(self, profile: Path, folder: Path, runtime: str) -> None:
        """``runtime`` is part of the key: name and version, since another one may compile otherwise."""
        self._path, self._folder, self._runtime = profile, folder, runtime
        self._compiled: dict[str, str] = {}

    @functools.cached_property
    def base(self) -> Json:
        """The base profile; read once."""
        loaded: Json = json.loads(self._path.read_text())
        return loaded

    @functools.lru_cache(maxsize=64)  # noqa: B019 (one cache an engine, as long-lived as the engine)
    def default(self, capabilities: tuple[str, ...], arch: str) -> tuple[Json, str]:
        """(section, key) of the default profile."""
        found = section(self.base, capabilities, arch)
        return found, self.key(found)

    def key(self, found: Mapping[str, Any]) -> str:
        """Name of a section's compiled form."""
        return hashlib.sha256(json.dumps([self._runtime, found], sort_keys=True).encode()).hexdigest()

    def compiled(self, key: str) -> str | None:
        """The ready filter in base64."""
        if key not in self._compiled:
            try:
                self._compiled[key] = (self._folder / key).read_text()
            except FileNotFoundError:
                return None
        return self._compiled[key]

    def keep(self, key: str, program: bytes) -> None:
        """Store what the runtime compiled."""
        self._compiled[key] = base64.b64encode(program).decode()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        files.write(self._folder / key, self._compiled[key].encode())
