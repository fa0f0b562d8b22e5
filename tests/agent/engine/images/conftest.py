"""An image service over real stores on a real file system, without the rest of the engine."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.engine.events import EventBus
from agent.engine.images import fetch
from agent.engine.images.service import ImageService, open_stores
from agent.engine.images.store import Image
from agent.engine.images.unpack import Limits
from agent.engine.registry.client import Registries
from agent.engine.state.db import Database
from agent.engine.state.repository import Containers
from agent.engine.storage.content import ContentStore
from agent.engine.storage.layers import Layers
from agent.engine.storage.snapshots import Snapshots
from tests.agent.engine.images.fake_registry import FakeRegistry, fake_registry
from tests.debian_registry import registry as debian_registry


@dataclass
class Stores:
    """One data root, opened."""

    root: Path
    database: Database
    content: ContentStore
    layers: Layers
    snapshots: Snapshots
    containers: Containers
    events: EventBus
    images: ImageService

    def close(self) -> None:
        self.snapshots.close()
        self.database.close()


def open_root(root: Path, limits: Limits | None = None) -> Stores:
    """Open a data root as an engine does at start."""
    root.mkdir(exist_ok=True)
    database = Database(root / "engine.db")
    content, layers, snapshots = open_stores(root, database)
    containers, events = Containers(database), EventBus()
    images = ImageService(
        database=database,
        content=content,
        layers=layers,
        snapshots=snapshots,
        containers=containers,
        events=events,
        registries=Registries(),
        limits=limits,
    )
    return Stores(root, database, content, layers, snapshots, containers, events, images)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    """A fresh data root."""
    opened = open_root(tmp_path / "root")
    yield opened
    for key in list(opened.snapshots._chains):
        await opened.snapshots.remove(key)
    opened.close()


@pytest.fixture
def import_tar(stores: Stores) -> Callable[..., Any]:
    """Import bytes as an image."""

    async def chunks(data: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(data), 65536):
            yield data[start : start + 65536]
            await asyncio.sleep(0)

    async def run(data: bytes, name: str = "", tag: str = "", config: dict[str, Any] | None = None) -> Image:
        return await stores.images.import_image(
            chunks(data), name=name, tag=tag, change=lambda base: {**base, **(config or {})}
        )

    return run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's docker-registry on loopback."""
    with debian_registry(tmp_path_factory.mktemp("hub"), f"127.0.0.1:{free_port()}") as address:
        yield address


def mounts_below(root: Path) -> list[str]:
    """What is mounted below a folder."""
    text = subprocess.run(["cat", "/proc/self/mounts"], capture_output=True, text=True, check=True).stdout
    return [line.split()[1] for line in text.splitlines() if line.split()[1].startswith(str(root))]


@pytest.fixture
async def fake(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeRegistry]:
    """A registry that lies as a test tells it to; nobody waits long for it."""
    monkeypatch.setattr(fetch, "_FIRST_PAUSE", 0.01)
    async with fake_registry() as made:
        yield made
