"""RUN as a step: a container of the engine's own, hidden from lists, whose writes become a layer."""

import asyncio
import contextlib
import os
import posixpath
import secrets
import stat
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.engine.build.config import Json, StageState
from agent.engine.build.instructions import Run
from agent.engine.build.options import BuildOptions
from agent.engine.build.output import BuildFailed, Output
from agent.engine.build.runmounts import RunMounts
from agent.engine.build.stages import Images, Snapshots
from agent.engine.build.tree import Tree
from agent.engine.containers.io.attach import AttachOptions
from agent.engine.containers.waits import NEXT_EXIT, Ended
from agent.engine.errors import EngineError, NotFound
from agent.engine.images.store import Image
from agent.engine.state.records import ContainerRecord
from agent.engine.storage.layers import LayerRef
from agent.streams import stdcopy

# The runtime makes these as places to mount on; they are no work of the RUN.
ALWAYS_MOUNTED = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev", "/proc", "/sys")


class Containers(Protocol):
    """What a RUN needs of ``ContainerService``."""

    def lookup(self, ref: str) -> ContainerRecord: ...
    async def create(
        self, name: str, body: Mapping[str, Any], platform: str = "", *, managed: bool = False
    ) -> tuple[str, Sequence[str]]: ...
    async def start(self, ref: str) -> None: ...
    def wait(self, ref: str, condition: str = "") -> Awaitable[Ended]: ...
    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False, link: bool = False) -> None: ...
    async def settled(self, container_id: str) -> None: ...


class Attaching(Protocol):
    """Reads what a container writes."""

    def output(self, record: ContainerRecord, options: AttachOptions) -> AsyncGenerator[bytes, None]: ...


@dataclass
class Runner:
    """Runs the RUNs of one build."""

    containers: Containers
    attaching: Attaching
    images: Images
    snapshots: Snapshots
    options: BuildOptions
    output: Output

    async def run(self, run: Run, state: StageState, image: Image, mounts: RunMounts) -> tuple[str, LayerRef | None]:
        """Run one command to its end.

        Returns:
            The container's id, and the layer that it made, None where it wrote nothing.

        Raises:
            BuildFailed: it ended with another status than 0.
            EngineError: it could not run.
        """
        words = state.command_line(run.command)
        body = self._body(run, state, image, words, mounts)
        name = f"build-{secrets.token_hex(8)}"
        container_id, warnings = await self.containers.create(name, body, managed=True)
        try:
            for warning in warnings:
                self.output.say(f" ---> [Warning] {warning}")
            self.output.say(f" ---> Running in {container_id[:12]}")
            targets = (*ALWAYS_MOUNTED, *mounts.targets)
            missing = await self._missing(container_id, targets)
            code = await self._to_its_end(container_id)
            if code:
                command = " ".join(words)
                raise BuildFailed(f"The command '{command}' returned a non-zero code: {code}", code)
            await self.containers.settled(container_id)
            await self._drop_places(container_id, missing)
            return container_id, await self.images.commit_layer(container_id, move=True)
        finally:
            # Also when the client has gone: its step must not run on.
            await asyncio.shield(self._remove(container_id))

    def _body(self, run: Run, state: StageState, image: Image, words: list[str], mounts: RunMounts) -> Json:
        host = {key: value for key, value in self.options.host_config.items() if value}
        network = run.network if run.network not in ("", "default") else self.options.network
        if network and network != "default":
            host["NetworkMode"] = network
        if mounts.mounts:
            host["Mounts"] = list(mounts.mounts)
        if mounts.tmpfs:
            host["Tmpfs"] = dict(mounts.tmpfs)
        env = [*(state.config["Env"] or []), *(f"{k}={v}" for k, v in state.scope.arguments(state.env).items())]
        return {
            "Image": image.id,
            "Cmd": words,
            "Entrypoint": [""],
            "Env": env,
            "User": state.config["User"],
            "WorkingDir": state.config["WorkingDir"],
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": host,
        }

    async def _to_its_end(self, container_id: str) -> int:
        record = self.containers.lookup(container_id)
        options = AttachOptions(stdout=True, stderr=True, stream=True)
        reading = asyncio.create_task(self._print(self.attaching.output(record, options)))
        ended = asyncio.ensure_future(self.containers.wait(container_id, NEXT_EXIT))
        try:
            await self.containers.start(container_id)
            code = (await ended).code
            await reading
            return code
        finally:
            for task in (ended, reading):
                task.cancel()
            await asyncio.wait([reading])

    async def _print(self, chunks: AsyncGenerator[bytes, None]) -> None:
        reader = stdcopy.Reader()
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                for stream, data in reader.feed(chunk):
                    self.output.printed(data, error=stream == stdcopy.STDERR)

    async def _missing(self, container_id: str, targets: tuple[str, ...]) -> list[str]:
        """Places to mount on, and folders above them, that the image has not."""
        root = await self.snapshots.mount(container_id, volatile=True)

        def look() -> list[str]:
            tree = Tree(root)
            try:
                places = {place for target in targets for place in _above(target)}
                return sorted((place for place in places if tree.stat(place) is None), key=len, reverse=True)
            finally:
                tree.close()

        return await asyncio.to_thread(look)

    async def _drop_places(self, container_id: str, missing: list[str]) -> None:
        """Take away what was made only to be mounted on, unless the command put something there."""
        root = await self.snapshots.mount(container_id, volatile=True)

        def drop() -> None:
            tree = Tree(root)
            try:
                for place in missing:
                    _drop(tree, place)
            finally:
                tree.close()

        await asyncio.to_thread(drop)

    async def _remove(self, container_id: str) -> None:
        with contextlib.suppress(NotFound):
            try:
                await self.containers.remove(container_id, force=True, volumes=True)
            except EngineError as error:
                self.output.warn(f"the step's container {container_id[:12]} was not removed: {error}")


def _above(path: str) -> list[str]:
    """A path and the folders above it, without the root."""
    parts = [part for part in posixpath.normpath("/" + path.lstrip("/")).split("/") if part]
    return ["/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _drop(tree: Tree, place: str) -> None:
    try:
        parent = tree.open(posixpath.dirname(place), os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    name = posixpath.basename(place)
    try:
        info = os.lstat(name, dir_fd=parent)
        if stat.S_ISREG(info.st_mode) and info.st_size == 0:
            os.unlink(name, dir_fd=parent)
        elif stat.S_ISDIR(info.st_mode):
            os.rmdir(name, dir_fd=parent)
    except OSError:
        pass
    finally:
        os.close(parent)
