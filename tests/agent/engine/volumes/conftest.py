"""A volume service with a state of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.engine.config import EngineConfig
from agent.engine.events import EventBus
from agent.engine.kernel import mounts
from agent.engine.paths import Paths
from agent.engine.state.db import Database
from agent.engine.state.repository import Containers, Volumes
from agent.engine.volumes.discovery import Places
from agent.engine.volumes.service import VolumeService
from tests.agent.engine.volumes.bench import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    config = EngineConfig(root=tmp_path / "root", socket=tmp_path / "socket")
    paths = Paths(root=config.root, run=tmp_path / "run")
    for path in paths.all():
        path.mkdir(parents=True, exist_ok=True)
    database = Database(paths.database)
    volumes, containers, events = Volumes(database), Containers(database), EventBus()

    def make() -> VolumeService:
        places = Places((paths.root / "plugins",))
        return VolumeService(paths=paths, volumes=volumes, containers=containers, events=events, places=places)

    made = Bench(make(), volumes, containers, events, paths, make)
    await made.service.recover([])
    yield made
    await made.service.close()
    mounts.unmount_below(paths.volumes)
    database.close()
