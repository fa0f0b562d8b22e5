"""Volumes in a directory of this host, or mounted there by the options ``type``, ``device`` and ``o``, as mount(8)."""

import asyncio
import os
import re
import secrets
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.engine.errors import Invalid, System
from agent.engine.kernel import files, mounts, quota, syscalls
from agent.engine.volumes import options as given
from agent.engine.volumes.driver import Found

DATA = "_data"
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def check_name(name: str) -> None:
    """Docker's rule for names of local volumes; it also keeps them from being paths.

    Raises:
        Invalid: the name breaks it.
    """
    if len(name) == 1:
        raise Invalid("volume name is too short, names should be at least two alphanumeric characters")
    if NAME.fullmatch(name) is None or len(name) > 255:
        raise Invalid(
            f'"{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )


class LocalDriver:
    """Directories below one root."""

    name = "local"
    counts = False

    def __init__(self, root: Path, discarded: Path, owner: tuple[int, int] = (0, 0)) -> None:
        """
        Args:
            root: holds one directory a volume.
            discarded: on the same filesystem, emptied when the engine starts: what is being removed lies there.
            owner: of new volumes: who is root in containers.
        """
        self._owner = owner
        self._root = root
        self._discarded = discarded
        self._quota: bool | None = None

    def path(self, volume: str) -> Path:
        """Where the data is seen, mounted or not."""
        return self._root / volume / DATA

    async def scope(self) -> str:
        return "local"

    async def find(self, volume: str) -> Found | None:
        path = self.path(volume)
        return Found(volume, str(path)) if NAME.fullmatch(volume) and path.is_dir() else None

    async def list(self) -> Sequence[Found]:
        names = sorted(one.name for one in self._root.iterdir() if (one / DATA).is_dir() and NAME.fullmatch(one.name))
        return [Found(name, str(self.path(name))) for name in names]

    async def create(self, volume: str, options: Mapping[str, str]) -> str:
        check_name(volume)
        return await asyncio.to_thread(self._create, volume, options)

    async def remove(self, volume: str) -> None:
        await asyncio.to_thread(self._remove, volume)

    async def mount(self, volume: str, options: Mapping[str, str], holder: str) -> Path:
        del holder
        path = self.path(volume)
        if given.needs_mount(options):
            await asyncio.to_thread(self._mount, path, options)
        return path

    async def unmount(self, volume: str, options: Mapping[str, str], holder: str) -> None:
        del holder
        if given.needs_mount(options):
            await asyncio.to_thread(mounts.unmount, self.path(volume), lazy=True)

    def _create(self, volume: str, options: Mapping[str, str]) -> str:
        given.check(options, quota="size" in options and self._has_quota())
        path = self.path(volume)
        path.parent.mkdir(mode=0o701, exist_ok=True)
        path.mkdir(mode=0o755, exist_ok=True)
        os.chown(path, *self._owner)
        if limit := given.size(options):
            try:
                quota.limit(path, limit)
            except OSError as error:
                path.rmdir()
                path.parent.rmdir()
                raise System(f"failed to set size limit for volume {volume}: {error}") from error
        for directory in (path, path.parent, self._root):
            files.sync_directory(directory)
        return str(path)

    def _has_quota(self) -> bool:
        if self._quota is None:
            self._quota = quota.works(self._root)
        return self._quota

    def _remove(self, volume: str) -> None:
        mounts.unmount(self.path(volume), lazy=True)
        place = self._root / volume
        gone = self._discarded / f"volume-{secrets.token_hex(8)}"
        try:
            place.rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone, ignore_errors=True)

    @staticmethod
    def _mount(path: Path, options: Mapping[str, str]) -> None:
        if mounts.is_mounted(path):
            return
        mounting = given.resolved(given.parse(options), socket.gethostbyname)
        kind = mounting.kind if mounting.kind not in {"", "none"} else None
        try:
            syscalls.mount(mounting.device or kind, path, kind, mounting.flags, mounting.data or None)
            try:
                if mounting.bind and mounting.flags & syscalls.MS_RDONLY:
                    # The kernel takes a bind's other flags in a second step only.
                    syscalls.mount(None, path, None, mounting.flags | syscalls.MS_REMOUNT)
                if mounting.propagation:
                    syscalls.mount(None, path, None, mounting.propagation)
            except OSError:
                mounts.unmount(path, lazy=True)
                raise
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise System(f"failed to mount local volume: {mounting.words(path, reason)}") from error
