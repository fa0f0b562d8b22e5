"""A runtime without processes, for tests of what lies above: it obeys, remembers, and fails on demand."""

from pathlib import Path

from agent.engine.runtime.base import ExecSpec, Json, Launch, Processes, RuntimeRefused


class FakeRuntime:
    """Containers are names in a dict: ``created``, ``running``, ``paused``."""

    name = "fake"
    version = "0"
    names = frozenset({"fake"})

    def __init__(self) -> None:
        self.containers: dict[str, str] = {}
        self.launches: dict[str, Launch] = {}
        self.updates: dict[str, Json] = {}
        self.refuse: dict[str, str] = {}
        """Method name → the words with which it fails."""

    def _may(self, method: str) -> None:
        if method in self.refuse:
            raise RuntimeRefused(self.refuse[method])

    def _must_be(self, container_id: str, *states: str) -> None:
        if self.containers.get(container_id) not in states:
            raise RuntimeRefused(f"container {container_id} is {self.containers.get(container_id, 'absent')}")

    def kind_of(self, name: str) -> str:
        """See ``Runtime.kind_of``."""
        return name or self.name

    async def create(self, launch: Launch) -> Processes:
        """See ``Runtime.create``."""
        self._may("create")
        if launch.id in self.containers:
            raise RuntimeRefused(f"container {launch.id} already exists")
        self.containers[launch.id] = "created"
        self.launches[launch.id] = launch
        return Processes(0, 0, 0, 0)

    async def start(self, container_id: str) -> None:
        """See ``Runtime.start``."""
        self._may("start")
        self._must_be(container_id, "created")
        self.containers[container_id] = "running"

    async def delete(self, container_id: str) -> None:
        """See ``Runtime.delete``."""
        self._may("delete")
        self.containers.pop(container_id, None)

    async def pause(self, container_id: str) -> None:
        """See ``Runtime.pause``."""
        self._may("pause")
        self._must_be(container_id, "running")
        self.containers[container_id] = "paused"

    async def resume(self, container_id: str) -> None:
        """See ``Runtime.resume``."""
        self._may("resume")
        self._must_be(container_id, "paused")
        self.containers[container_id] = "running"

    async def update(self, container_id: str, resources: Json) -> None:
        """See ``Runtime.update``."""
        self._may("update")
        self.updates[container_id] = resources

    def exec_argv(self, spec: ExecSpec) -> list[str]:
        """See ``Runtime.exec_argv``."""
        return ["/bin/true", spec.container_id]

    async def exec_detached(self, spec: ExecSpec, bundle: Path, exit_dir: Path) -> Processes:
        """See ``Runtime.exec_detached``."""
        self._may("exec_detached")
        self._must_be(spec.container_id, "running")
        return Processes(0, 0, 0, 0)
