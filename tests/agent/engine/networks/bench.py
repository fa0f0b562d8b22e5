"""What the tests of networks share: a namespace of their own, and the service in it."""

import os
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.engine.events import EventBus
from agent.engine.networks.requests import Sandbox, SandboxRequest
from agent.engine.networks.service import NetworkService
from agent.engine.paths import Paths
from agent.engine.state.records import ContainerRecord, State, Status
from agent.engine.state.repository import Containers
from tests import netns


class Namespace(netns.Namespace):
    """A network namespace of the test's."""

    def __init__(self) -> None:
        super().__init__(f"ls-{uuid.uuid4().hex[:8]}")

    def sh(self, command: str, check: bool = True, timeout: float = 20) -> str:
        """What a shell command prints inside."""
        return enter(self.path, command, check, timeout)


def enter(namespace: Path | None, command: str, check: bool = True, timeout: float = 20) -> str:
    """What a shell command prints inside a namespace."""
    assert namespace is not None
    done = subprocess.run(
        ["nsenter", f"--net={namespace}", "sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


@dataclass
class Bench:
    """The service and what a test needs around it."""

    service: NetworkService
    containers: Containers
    events: EventBus
    paths: Paths
    make: Callable[[], NetworkService]

    async def start(self, name: str, **wishes: object) -> Sandbox:
        """Attach a container of this name; its record says that it runs."""
        container_id = uuid.uuid5(uuid.NAMESPACE_OID, name).hex * 2
        host_config = {"NetworkMode": wishes.pop("mode", "default"), "PortBindings": wishes.pop("ports", {})}
        host_config["Dns"] = wishes.pop("dns", [])
        config = {"Hostname": container_id[:12], "ExposedPorts": wishes.pop("exposed", {})}
        record = ContainerRecord(
            id=container_id, name=name, created_ns=1, path="", args=(), config=config, host_config=host_config,
            image_id="", image_ref="", endpoints_config=wishes.pop("endpoints", {}),
        )  # fmt: skip
        assert not wishes
        await self.containers.save(record)
        sandbox = await self.service.attach(SandboxRequest.of(record))
        await self.containers.change(
            container_id, network=sandbox.state, state=State(status=Status.RUNNING, pid=os.getpid())
        )
        return sandbox

    def unwatched(self) -> None:
        """Let rules that a test removes stay away until it wants them back."""
        assert self.service._watch is not None
        self.service._watch.cancel()

    def record(self, name: str) -> ContainerRecord:
        found = self.containers.by_name(name)
        assert found is not None
        return found

    async def stop(self, name: str) -> None:
        record = self.record(name)
        await self.service.release(record.id)
        await self.containers.save(record.with_state(status=Status.EXITED))
