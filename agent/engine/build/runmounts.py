"""``RUN --mount``: binds of the context, a stage or an image, caches, tmpfs. Secrets need BuildKit's session.

Every source is resolved inside of its own root before it is mounted, so no link in it leads to the host; what a
writable bind writes is thrown away; a cache's folder is named by a hash, so no id leads out of the caches.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.engine.build.config import Json
from agent.engine.build.instructions import InlineFile, Run
from agent.engine.build.mounts import Mount, parse_mount
from agent.engine.build.stages import Sources
from agent.engine.build.tree import Tree
from agent.engine.errors import Invalid, NotFound
from agent.engine.state.locks import Locks

PIPES = "/dev/pipes"


@dataclass
class RunMounts:
    """What one RUN has mounted, in Docker's names, and what of it counts for the cache."""

    mounts: list[Json] = field(default_factory=list)
    tmpfs: dict[str, str] = field(default_factory=dict)
    targets: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@dataclass
class MountMaker:
    """Makes the mounts of one build's RUNs.

    Args:
        sources: stages and images.
        context: the build's context.
        scratch: a folder of the build, for copies that may be written to.
        caches: where ``type=cache`` keeps its folders, across builds.
        locks: for ``sharing=locked``.
    """

    sources: Sources
    context: Tree
    scratch: Path
    caches: Path
    locks: Locks

    @contextlib.asynccontextmanager
    async def mounted(
        self, run: Run, expand: Callable[[str], str], absolute: Callable[[str], str]
    ) -> AsyncIterator[RunMounts]:
        """The mounts of one RUN, for as long as the block lasts.

        Raises:
            Invalid, NotFound: a mount is wrong, or its source is not there.
        """
        made = RunMounts()
        async with contextlib.AsyncExitStack() as held:
            for text in run.mounts:
                mount = parse_mount(text, expand)
                await self._add(made, mount, absolute(mount.target) if mount.target else "", held)
                made.keys.append(f"--mount={text}")
            if run.script is not None:
                await self._script(made, run.script)
            yield made

    async def _add(self, made: RunMounts, mount: Mount, target: str, held: contextlib.AsyncExitStack) -> None:
        if mount.kind in ("secret", "ssh"):
            if mount.required:
                raise Invalid(f"--mount=type={mount.kind},required needs BuildKit's session, which this API has not")
            return
        if target == "/":
            raise Invalid("--mount: the target can't be '/'")
        made.targets.append(target)
        if mount.kind == "tmpfs":
            made.tmpfs[target] = "exec,suid,dev" + (f",size={mount.size}" if mount.size else "")
            return
        if mount.kind == "cache":
            source = await self._cache(mount, target, held)
        else:
            source = await self._bind(made, mount)
        made.mounts.append({"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": mount.readonly})

    async def _bind(self, made: RunMounts, mount: Mount) -> Path:
        tree = await self.sources.tree(mount.origin) if mount.origin else self.context
        path = mount.source or "/"
        if tree.stat(path) is None:
            raise NotFound(f"--mount: {path} is not in {mount.origin or 'the build context'}")
        made.keys.append(await asyncio.to_thread(tree.digest, path, owners=bool(mount.origin)))
        if mount.readonly:
            return tree.real(path)
        copy = self.scratch / f"bind-{uuid.uuid4().hex}"
        process = await asyncio.create_subprocess_exec("cp", "-a", "--reflink=auto", "-T", "--", tree.real(path), copy)
        if await process.wait():
            raise Invalid(f"--mount: {path} cannot be copied")
        return copy

    async def _cache(self, mount: Mount, target: str, held: contextlib.AsyncExitStack) -> Path:
        if mount.origin or mount.source:
            raise Invalid("--mount=type=cache: from and source are not supported")
        name = hashlib.sha256((mount.cache_id or target).encode()).hexdigest()
        if mount.sharing == "private":
            name = f"{name}-{uuid.uuid4().hex}"
        elif mount.sharing == "locked":
            await held.enter_async_context(self.locks.hold(f"cache {name}"))
        folder = self.caches / name
        if not folder.exists():
            folder.mkdir(parents=True)
            os.chown(folder, mount.uid, mount.gid)
            folder.chmod(0o755 if mount.mode is None else stat.S_IMODE(mount.mode))
        if mount.sharing == "private":
            held.push_async_callback(asyncio.to_thread, shutil.rmtree, folder, True)
        return folder

    async def _script(self, made: RunMounts, script: InlineFile) -> None:
        folder = self.scratch / f"pipes-{uuid.uuid4().hex}"
        folder.mkdir()
        file = folder / script.name.replace("/", "_")
        file.write_text(script.content)
        file.chmod(0o755)
        made.mounts.append({"Type": "bind", "Source": str(folder), "Target": PIPES, "ReadOnly": True})
        made.keys.append(hashlib.sha256(script.content.encode()).hexdigest())


def key_words(made: RunMounts, recorded: dict[str, str], words: Sequence[str]) -> list[str]:
    """A RUN as the cache compares it and the history shows it: the arguments that it saw, its mounts, its words."""
    arguments = sorted(f"{name}={value}" for name, value in recorded.items())
    counted = [f"|{len(arguments)}", *arguments] if arguments else []
    return [*counted, *made.keys, *words]
