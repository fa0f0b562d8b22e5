"""A network service in a namespace of its own: nothing of the machine's network is touched."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.engine.config import EngineConfig
from agent.engine.events import EventBus
from agent.engine.kernel import mounts
from agent.engine.networks.service import NetworkService
from agent.engine.paths import Paths
from agent.engine.state.db import Database
from agent.engine.state.repository import Containers, Networks
from tests.agent.engine.networks.bench import Bench, Namespace
from tests.agent.engine.networks.wire import Servers


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    yield made
    made.remove()


@pytest.fixture
def outside(namespace: Namespace) -> Iterator[Namespace]:
    """Another host: a namespace joined to the engine's by a link, 10.99.0.1 (engine) and 10.99.0.2."""
    made = Namespace()
    try:
        namespace.sh(f"ip link add out0 type veth peer name out0 netns {made.name}")
        namespace.sh("ip addr add 10.99.0.1/24 dev out0; ip link set out0 up")
        made.sh("ip addr add 10.99.0.2/24 dev out0; ip link set out0 up; ip route add default via 10.99.0.1")
        yield made
    finally:
        made.remove()


@pytest.fixture
async def bench(namespace: Namespace, tmp_path: Path) -> AsyncIterator[Bench]:
    config = EngineConfig(root=tmp_path / "root", socket=tmp_path / "socket", netns=namespace.path)
    paths = Paths(root=config.root, run=tmp_path / "run")
    for path in paths.all():
        path.mkdir(parents=True, exist_ok=True)
    database = Database(paths.database)
    networks, containers, events = Networks(database), Containers(database), EventBus()

    def make() -> NetworkService:
        return NetworkService(config=config, paths=paths, networks=networks, containers=containers, events=events)

    made = Bench(make(), containers, events, paths, make)
    await made.service.recover([])
    yield made
    for record in containers:
        await made.service.release(record.id)
    await made.service.close()
    for path in paths.namespaces.iterdir():
        mounts.unmount(path, lazy=True)
    database.close()


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    for one in made.started:
        one.kill()
        one.wait()
