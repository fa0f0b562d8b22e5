"""The default filter: what is allowed to whom."""

import json
from pathlib import Path
from typing import Any

from agent.engine.containers.oci import seccomp
from agent.engine.containers.options import security

PROFILE = json.loads(Path("/usr/share/containers/seccomp.json").read_text())


def rules(*extra: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = seccomp.section(PROFILE, [*security.DEFAULT_CAPABILITIES, *extra])["syscalls"]
    return found


def allowed(found: list[dict[str, Any]]) -> set[str]:
    return {
        name for rule in found if rule["action"] == seccomp.ALLOW and not rule.get("args") for name in rule["names"]
    }


def test_it_works() -> None:
    default = allowed(rules())
    assert {"read", "execve", "openat2", "statx", "futex"} < default


def test_what_needs_a_capability() -> None:
    gated = {
        "mount",
        "umount2",
        "unshare",
        "setns",
        "pivot_root",
        "fsopen",
        "move_mount",
        "keyctl",
        "pidfd_getfd",
        "bpf",
    }
    assert not gated & allowed(rules())
    assert not {"clone", "clone3", "socket", "socketcall", "syslog", "reboot", "mbind"} & allowed(rules())
    assert gated < allowed(rules("CAP_SYS_ADMIN"))
    assert "syslog" in allowed(rules("CAP_SYSLOG"))
    assert "reboot" in allowed(rules("CAP_SYS_BOOT"))
    assert "mbind" in allowed(rules("CAP_SYS_NICE"))


def test_clone_without_new_namespaces_only() -> None:
    clone = [rule for rule in rules() if rule["names"] == ["clone"]]
    assert clone == [
        {
            "names": ["clone"],
            "action": seccomp.ALLOW,
            "args": [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        }
    ]
    assert {"names": ["clone3"], "action": seccomp.ERRNO, "errnoRet": 38} in rules()


def test_families_of_sockets() -> None:
    values = {rule["args"][0]["value"] for rule in rules() if rule["names"] == ["socket"]}
    assert {1, 2, 10, 16, 17, 39, 41} < values
    assert not {38, 40} & values
    netlink = [rule for rule in rules() if rule["names"] == ["socket"] and rule["args"][0]["value"] == 16]
    assert [len(rule["args"]) for rule in netlink] == [2]


def test_the_compiled_form_is_kept_by_what_it_is_of(tmp_path: Path) -> None:
    cache = seccomp.FilterCache(Path("/usr/share/containers/seccomp.json"), tmp_path / "seccomp", "crun 1")
    _, key = cache.default(security.DEFAULT_CAPABILITIES, "amd64")
    _, other = cache.default((*security.DEFAULT_CAPABILITIES, "CAP_SYS_ADMIN"), "amd64")
    assert key != other
    assert cache.compiled(key) is None
    cache.keep(key, b"\1\2")
    again = seccomp.FilterCache(Path("/usr/share/containers/seccomp.json"), tmp_path / "seccomp", "crun 1")
    assert again.compiled(key) == "AQI="
