"""Containers for whoever changes them: look up, lock, delegate. Reading is `access.py` and the API's views.

Each verb is a module of its own; this is the table of them.
"""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from agent.engine.containers import create, pause, prune, remove, rename, start, stop, update
from agent.engine.containers.ops import Ops
from agent.engine.containers.waits import NOT_RUNNING, Ended
from agent.engine.errors import Conflict, EngineError, Invalid, NotFound, NotModified
from agent.engine.images.manifests import check_platform
from agent.engine.state.lookup import resolve
from agent.engine.state.records import ContainerRecord, Status


class ContainerService:
    """The verbs of one engine's containers."""

    def __init__(self, ops: Ops) -> None:
        self.ops = ops
        ops.start_again = start.start_again

    def lookup(self, ref: str) -> ContainerRecord:
        """The container that a client means: id, name, or the beginning of an id.

        Raises:
            NotFound: ``No such container: REF``.
            Invalid: several ids begin so.
        """
        containers = self.ops.containers
        if "/" in (path := ref.strip("/")):
            return self._linked(ref, *path.split("/", 1))
        return resolve(ref, containers.find, containers.names, (record.id for record in containers), "container")

    def _linked(self, ref: str, parent: str, alias: str) -> ContainerRecord:
        """The container that a link means: ``PARENT/ALIAS``."""
        found = self.ops.containers.by_name(parent)
        for link in found.links if found is not None else ():
            if link.alias == alias and (other := self.ops.containers.find(link.target)) is not None:
                return other
        raise NotFound(f"No such container: {ref}")

    def _current(self, ref: str, container_id: str) -> ContainerRecord:
        """The newest record, once the lock is ours."""
        record = self.ops.containers.find(container_id)
        if record is None:
            raise NotFound(f"No such container: {ref}")
        return record

    async def create(
        self, name: str, body: Mapping[str, Any], platform: str = "", *, managed: bool = False, deep: bool = True
    ) -> tuple[str, Sequence[str]]:
        """Make a container; (id, warnings).

        Args:
            name: empty: one is invented.
            body: the API's request.
            platform: ``os/architecture`` that the image must be of; empty: any.
            managed: the builder's own, hidden from lists.
            deep: a read-only bind is so with all that is mounted below it.

        Raises:
            NotFound: no such image. Invalid, Conflict, NoSpace, System: see ``create.create``.
        """
        if not body.get("Image"):
            raise Invalid("No command specified" if body else "Config cannot be empty in order to create a container")
        image = self.ops.images.resolve(str(body["Image"]))
        check_platform(platform, str(body["Image"]), image.config)
        record, warnings = await create.create(self.ops, name, body, image, managed=managed, deep=deep)
        return record.id, warnings

    async def start(self, ref: str) -> None:
        """Let it run. See ``start.start``.

        Raises:
            NotModified: it runs already.
        """
        record = self.lookup(ref)
        async with self.ops.locks.hold(record.id):
            record = self._current(ref, record.id)
            start.may_start(record)
            if record.state.status is Status.RESTARTING:
                raise NotModified(f"Container {record.id} is restarting")
            await start.start(self.ops, record)

    async def stop(self, ref: str, timeout: int | None = None, signal: str = "") -> None:
        """End it politely. See ``stop.stop``."""
        record = self.lookup(ref)
        async with self.ops.locks.hold(record.id):
            try:
                await stop.stop(self.ops, self._current(ref, record.id), timeout, signal)
            except (NotFound, NotModified):
                raise
            except EngineError as error:
                raise type(error)(f"cannot stop container: {ref}: {error}") from error

    async def restart(self, ref: str, timeout: int | None = None, signal: str = "") -> None:
        """Stop and start. See ``stop.restart``."""
        record = self.lookup(ref)
        async with self.ops.locks.hold(record.id):
            try:
                await stop.restart(self.ops, self._current(ref, record.id), timeout, signal)
            except EngineError as error:
                raise type(error)(f"Cannot restart container {ref}: {error}") from error

    async def kill(self, ref: str, signal: str = "") -> None:
        """Send a signal. See ``stop.kill``."""
        try:
            record = self.lookup(ref)
            await stop.kill(self.ops, record, signal)
        except EngineError as error:
            text = str(error)
            if isinstance(error, Invalid) and text.startswith("Invalid signal"):
                raise
            raise type(error)(f"Cannot kill container: {ref}: {text}") from error

    async def pause(self, ref: str) -> None:
        """Freeze it. See ``pause.pause``."""
        record = self.lookup(ref)
        async with self.ops.locks.hold(record.id):
            await pause.pause(self.ops, self._current(ref, record.id))

    async def unpause(self, ref: str) -> None:
        """Thaw it. See ``pause.unpause``."""
        record = self.lookup(ref)
        async with self.ops.locks.hold(record.id):
            await pause.unpause(self.ops, self._current(ref, record.id))

    def frozen(self, ref: str) -> AbstractAsyncContextManager[None]:
        """Frozen for the block. See ``pause.frozen``."""
        return pause.frozen(self.ops, self.lookup(ref).id)

    async def rename(self, ref: str, name: str) -> None:
        """Name it anew. See ``rename.rename``."""
        record = self.lookup(ref)
        async with self.ops.locks.hold(record.id):
            await rename.rename(self.ops, self._current(ref, record.id), name)

    async def update(self, ref: str, body: Mapping[str, Any]) -> Sequence[str]:
        """Change its limits; warnings. See ``update.update``."""
        record = self.lookup(ref)
        async with self.ops.locks.hold(record.id):
            return await update.update(self.ops, self._current(ref, record.id), body)

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False, link: bool = False) -> None:
        """Remove it. See ``remove.remove``."""
        if link:
            await self._unlink(ref)
            return
        record = self.lookup(ref)
        if self.ops.restarts.get(record.id) is None and force and self.ops.locks.held(record.id):
            # A stop that waits holds the lock: end what it waits for.
            stop.signal_only(self.ops, self._current(ref, record.id))
        async with self.ops.locks.hold(record.id):
            await remove.remove(self.ops, self._current(ref, record.id), force=force, volumes=volumes)

    async def _unlink(self, ref: str) -> None:
        """Take one link away, named ``PARENT/ALIAS``: from its next start on the parent knows nothing of the other."""
        name, slash, alias = ref.strip("/").partition("/")
        if not slash:
            self.lookup(ref)
            raise Conflict("Conflict, cannot remove the default link name of the container")
        parent = self.lookup(name)
        async with self.ops.locks.hold(parent.id):
            parent = self._current(name, parent.id)
            kept = tuple(link for link in parent.links if link.alias != alias)
            if len(kept) == len(parent.links):
                raise NotFound(f"No such container: {ref}")
            await self.ops.containers.change(parent.id, links=kept)

    async def prune(self, matches: prune.Matches) -> tuple[Sequence[str], int]:
        """Remove every container that does not run and matches; (ids, bytes freed)."""
        return await prune.prune(self.ops, matches, self.remove)

    async def settled(self, container_id: str) -> None:
        """Wait until the remains of the last run are away: its mount, its network."""
        await self.ops.settled(container_id)

    def wait(self, ref: str, condition: str = NOT_RUNNING) -> Awaitable[Ended]:
        """Wait from this moment on; cancel what it gives to stop waiting.

        Raises:
            NotFound: no such container.
        """
        record = self.lookup(ref)
        waiting = self.ops.waits.register(record.id, condition)
        if condition == NOT_RUNNING and not record.state.running:
            waiting.set_result(Ended(record.state.exit_code, record.state.error))
        return waiting
