"""The programs, libraries and files that the engine works with, their versions, and the packages that bring them."""

from __future__ import annotations

import ctypes
import re
import shutil
from collections.abc import Iterator
from typing import Final

from agent.check.finding import Check, Host
from agent.engine.kernel import nftables, programs
from agent.engine.runtime import crun

_CONMON: Final = (2, 1, 0)
_PROFILE: Final = "containers/seccomp.json"
_NEWER: Final = "a newer release than this system's: from Debian's backports or the project's own static build"
# Program, package, what goes without it; empty: nothing does.
_PROGRAMS: Final = (
    ("nft", "nftables", ""),
    ("catatonit", "catatonit", "no docker run --init"),
    ("ps", "procps", "no docker top"),
    ("ip", "iproute2", "some of these checks are not made"),
    ("unshare", "util-linux", "some of these checks are not made"),
)


def installed(host: Host) -> Iterator[Check]:
    """Every check of this module."""
    yield from _runtime(host)
    yield _conmon(host)
    for name, package, without in _PROGRAMS:
        path = shutil.which(name, path=host.path)
        lost = f"not found: {without}" if without else "not found"
        yield Check(name, path is not None, path or lost, f"apt install {package}", needed=not without)
    yield _library()
    profile = host.share / _PROFILE
    there = profile.exists()
    cure = "apt install golang-github-containers-common"
    yield Check("seccomp profile", there, str(profile) if there else f"{profile} is missing", cure)
    if (host.sys / "module/apparmor").exists() and not shutil.which(
        "apparmor_parser", path=f"{host.path}:/sbin:/usr/sbin"
    ):
        yield Check("apparmor", False, "on, but its profile cannot be loaded", "apt install apparmor", needed=False)


def numbers(version: str) -> tuple[int, ...]:
    """A version's first three numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _runtime(host: Host) -> Iterator[Check]:
    found = {name: path for name in crun.SAFE if (path := shutil.which(name, path=host.path))}
    versions = {name: programs.version(path) for name, path in found.items()}
    words = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    yield Check("runtime", bool(found), words or "neither crun nor runc", "apt install crun")
    if found and "crun" not in found:
        yield Check(
            "crun", False, "not found: with runc a start takes four times as long", "apt install crun", needed=False
        )
    for name, version in sorted(versions.items()):
        for warning in crun.warnings(name, version):
            yield Check(
                f"{name}'s age", False, warning.removeprefix("WARNING: ").partition(": ")[0], _NEWER, needed=False
            )


def _conmon(host: Host) -> Check:
    path = shutil.which("conmon", path=host.path)
    if path is None:
        return Check("conmon", False, "not found", "apt install conmon")
    version = programs.version(path)
    wanted = ".".join(map(str, _CONMON))
    old = numbers(version) < _CONMON
    return Check("conmon", not old, f"{version}, older than {wanted}" if old else f"{path} {version}", _NEWER)


def _library() -> Check:
    try:
        ctypes.CDLL(nftables.LIBRARY)
    except OSError as error:
        return Check("libnftables", False, str(error), "apt install libnftables1")
    return Check("libnftables", True, nftables.LIBRARY)
