"""The runtimes of an engine, by name: each container's own does what is asked of it.

Which one a container has is known by a file in its bundle, where it is not the default: that is there for as long as
the runtime keeps anything of it, also when the record is gone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from agent.engine.errors import Invalid
from agent.engine.kernel import files
from agent.engine.runtime.base import ExecSpec, Json, Launch, Processes
from agent.engine.runtime.crun import Crun, warnings

ALIAS = "io.containerd.runc.v2"
"""containerd's name for what runs OCI runtimes: clients send back what a dockerd has shown them."""
NOTE = "runtime"


class Runtimes:
    """One runtime to the rest of the engine."""

    def __init__(self, default: Crun, others: Mapping[str, Crun], bundle: Callable[[str], Path]) -> None:
        """
        Args:
            default: of a container that names none.
            others: further ones by name.
            bundle: a container's id → its OCI bundle.
        """
        self.default = default
        self._all = {default.name: default, **others}
        self._bundle = bundle
        self.name, self.version = default.name, default.version

    @property
    def paths(self) -> dict[str, str]:
        """Name → program, for ``docker info``."""
        return {name: runtime.path for name, runtime in self._all.items()}

    @property
    def names(self) -> frozenset[str]:
        """All that a container may name."""
        return frozenset({*self._all, ALIAS})

    @property
    def warnings(self) -> list[str]:
        """What ``docker info`` says of those that are too old."""
        found = [warning for one in self._all.values() for warning in warnings(one.kind, one.version)]
        return list(dict.fromkeys(found))

    def named(self, name: str) -> Crun:
        """One of them.

        Raises:
            Invalid: there is none of that name, any more.
        """
        if name in {"", ALIAS}:
            return self.default
        try:
            return self._all[name]
        except KeyError:
            raise Invalid(f"Unknown runtime specified {name}") from None

    def kind_of(self, name: str) -> str:
        """``crun``, ``runc``, or the name of another program."""
        return self.named(name).kind

    def _of(self, container_id: str) -> Crun:
        try:
            return self.named((self._bundle(container_id) / NOTE).read_text())
        except (FileNotFoundError, Invalid):
            return self.default

    async def create(self, launch: Launch) -> Processes:
        """See ``Runtime.create``."""
        runtime, note = self.named(launch.runtime), launch.bundle / NOTE
        if runtime is self.default:
            note.unlink(missing_ok=True)
        else:
            launch.bundle.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.write(note, runtime.name.encode())
        return await runtime.create(launch)

    async def start(self, container_id: str) -> None:
        """See ``Runtime.start``."""
        await self._of(container_id).start(container_id)

    async def delete(self, container_id: str) -> None:
        """See ``Runtime.delete``."""
        await self._of(container_id).delete(container_id)

    async def pause(self, container_id: str) -> None:
        """See ``Runtime.pause``."""
        await self._of(container_id).pause(container_id)

    async def resume(self, container_id: str) -> None:
        """See ``Runtime.resume``."""
        await self._of(container_id).resume(container_id)

    async def update(self, container_id: str, resources: Json) -> None:
        """See ``Runtime.update``."""
        await self._of(container_id).update(container_id, resources)

    def exec_argv(self, spec: ExecSpec) -> list[str]:
        """See ``Runtime.exec_argv``."""
        return self._of(spec.container_id).exec_argv(spec)

    async def exec_detached(self, spec: ExecSpec, bundle: Path, exit_dir: Path) -> Processes:
        """See ``Runtime.exec_detached``."""
        return await self._of(spec.container_id).exec_detached(spec, bundle, exit_dir)

    def compiled_seccomp(self, container_id: str) -> bytes | None:
        """The filter that crun compiled for a container which it has just created."""
        return self._of(container_id).compiled_seccomp(container_id)
