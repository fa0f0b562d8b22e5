"""Volumes in a directory of this host, or mounted there by the options ``type``, ``device`` and ``o``, as mount(8)."""

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from agent.engine.errors import Invalid, System
from agent.engine.kernel import mounts, syscalls

DATA = "_data"
OPTIONS = frozenset({"type", "device", "o", "size"})
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_FLAGS = {
    "bind": syscalls.MS_BIND,
    "rbind": syscalls.MS_BIND | syscalls.MS_REC,
    "ro": syscalls.MS_RDONLY,
    "nosuid": syscalls.MS_NOSUID,
    "nodev": syscalls.MS_NODEV,
    "noexec": syscalls.MS_NOEXEC,
}
_NO_FLAGS = frozenset({"rw", "suid", "dev", "exec", "defaults"})


def check_name(name: str) -> None:
    """Docker's rule for names; it also keeps them from being paths.

    Raises:
        Invalid: the name breaks it.
    """
    if len(name) == 1:
        raise Invalid(f"create {name}: volume name is too short, names should be at least two alphanumeric characters")
    if NAME.fullmatch(name) is None or len(name) > 255:
        raise Invalid(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )


def mount_arguments(options: Mapping[str, str]) -> tuple[str, str, int, str]:
    """Device, type, flags and data for mount(2)."""
    flags = 0
    data = []
    for word in filter(None, options.get("o", "").split(",")):
        if word in _FLAGS:
            flags |= _FLAGS[word]
        elif word not in _NO_FLAGS:
            data.append(word)
    return options.get("device", ""), options.get("type", ""), flags, ",".join(data)


class LocalDriver:
    """Directories below one root."""

    name = "local"

    def __init__(self, root: Path, discarded: Path) -> None:
        """
        Args:
            root: holds one directory a volume.
            discarded: on the same filesystem, emptied when the engine starts: what is being removed lies there.
        """
        self._root = root
        self._discarded = discarded

    def check(self, volume: str, options: Mapping[str, str]) -> None:
        for key in sorted(options):
            if key not in OPTIONS:
                raise Invalid(f'create {volume}: invalid option: "{key}"')
        device, kind, flags, _ = mount_arguments(options)
        bind = bool(flags & syscalls.MS_BIND)
        for missing in ("device",) * (not device) + ("type",) * (not kind and not bind):
            if options:
                raise Invalid(f'create {volume}: missing required option: "{missing}"')
        if bind and not Path(device).is_absolute():
            raise Invalid(f"create {volume}: a bind needs an absolute device, not {device!r}")

    def path(self, volume: str) -> Path:
        return self._root / volume / DATA

    def volumes(self) -> list[str]:
        """Names of the directories that are there."""
        return sorted(one.name for one in self._root.iterdir() if (one / DATA).is_dir() and NAME.fullmatch(one.name))

    def create(self, volume: str) -> None:
        path = self.path(volume)
        path.parent.mkdir(mode=0o701, exist_ok=True)
        path.mkdir(mode=0o755, exist_ok=True)

    def remove(self, volume: str) -> None:
        self.unmount(volume, {"type": "any"})
        place = self._root / volume
        gone = self._discarded / f"volume-{secrets.token_hex(8)}"
        try:
            place.rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone, ignore_errors=True)

    def mount(self, volume: str, options: Mapping[str, str]) -> Path:
        path = self.path(volume)
        if options and not mounts.is_mounted(path):
            device, kind, flags, data = mount_arguments(options)
            try:
                syscalls.mount(device or kind, path, kind if kind != "none" else None, flags, data or None)
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                raise System(f"failed to mount local volume: mount {device}:{path}, type {kind}: {reason}") from error
        return path

    def unmount(self, volume: str, options: Mapping[str, str]) -> None:
        if options:
            mounts.unmount(self.path(volume), lazy=True)
