"""Images and stages that a build reads: the base of FROM, the source of ``--from``."""

import posixpath
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.engine.build.config import Json
from agent.engine.build.options import BuildOptions
from agent.engine.build.plan import Plan
from agent.engine.build.scope import Platform
from agent.engine.build.tree import Tree
from agent.engine.errors import EngineError, Invalid, NotFound
from agent.engine.images import reference
from agent.engine.images.store import Image
from agent.engine.registry.keychain import Credentials
from agent.engine.storage.layers import LayerRef

Rows = list[Image]


class Images(Protocol):
    """What a build needs of ``ImageService``."""

    def resolve(self, ref: str) -> Image: ...
    def children(self, image_id: str) -> Rows: ...
    def list(self) -> Rows: ...
    async def pull(
        self, ref: str, platform: str, auth: Credentials | None, progress: Callable[[Json], None]
    ) -> Image: ...
    async def tag(self, ref: str, name: str, tag: str) -> None: ...
    async def commit_layer(self, key: str, *, move: bool = False) -> LayerRef | None: ...
    async def create_from_layers(
        self,
        config: Json,
        parent: Image | None,
        layers: Sequence[LayerRef],
        tags: Iterable[str] = (),
        *,
        created_by: str = "",
        comment: str = "",
        author: str = "",
        container: str = "",
        container_config: Json | None = None,
    ) -> Image: ...


class Snapshots(Protocol):
    """What a build needs of the writable layers."""

    async def prepare(self, key: str, chain_id: str) -> None: ...
    async def mount(self, key: str, *, volatile: bool = False) -> Path: ...
    async def unmount(self, key: str) -> None: ...
    async def remove(self, key: str) -> None: ...


@dataclass
class Built:
    """A stage that is done: None for an image of no layer and no configuration (scratch)."""

    image: Image | None
    config: Json


@dataclass
class Sources:
    """Bases and sources of one build; what was mounted is unmounted by ``close``."""

    images: Images
    snapshots: Snapshots
    options: BuildOptions
    platform: Platform
    plan: Plan
    progress: Callable[[Json], None]
    stages: dict[int, Built] = field(default_factory=dict)
    _mounted: dict[str, tuple[str, Tree]] = field(default_factory=dict)
    _pulled: set[str] = field(default_factory=set)

    async def base(self, name: str, parent: int | None, platform: str) -> Built:
        """What a FROM stands on.

        Raises:
            Invalid: a platform that is not this host's.
            NotFound, Unauthorized, Unavailable: the image cannot be had.
        """
        self._check_platform(platform)
        if parent is not None:
            return self.stages[parent]
        if name == "scratch":
            return Built(None, {})
        image = await self.image(name)
        return Built(image, image.defaults)

    def _check_platform(self, platform: str) -> None:
        asked = platform or self.options.platform
        if not asked:
            return
        system, _, rest = asked.lower().partition("/")
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(rest.partition("/")[0], rest.partition("/")[0])
        if system != self.platform.os or machine not in ("", self.platform.architecture):
            raise Invalid(f"platform {asked} cannot be built here: this host is {self.platform}")

    async def image(self, name: str) -> Image:
        """An image, pulled if it is not there or if the build asked for fresh ones."""
        if not self.options.pull or name in self._pulled:
            try:
                return self.images.resolve(name)
            except NotFound:
                pass
        parsed = reference.parse(name).with_default_tag()
        auth = Credentials.of(self._credentials(parsed.familiar))
        image = await self.images.pull(parsed.familiar, "", auth, self.progress)
        self._pulled.add(name)
        return image

    def _credentials(self, name: str) -> Json:
        host = name.partition("/")[0] if "/" in name else ""
        is_host = "." in host or ":" in host or host == "localhost"
        for server, found in self.options.credentials.items():
            bare = server.removeprefix("https://").removeprefix("http://").partition("/")[0]
            if bare == host if is_host else "docker.io" in bare:
                return found
        return {}

    async def tree(self, origin: str) -> Tree:
        """The files of a stage or image, mounted for as long as the build lasts.

        Raises:
            EngineError: neither; ``invalid from flag value`` and the reason.
        """
        index = self.plan.stage_of(origin)
        if index is not None:
            image = self.stages[index].image
        else:
            try:
                image = await self.image(origin)
            except EngineError as error:
                raise type(error)(f"invalid from flag value {origin}: {error}") from error
        chain = image.chain_id if image else ""
        if chain not in self._mounted:
            key = f"build-{uuid.uuid4().hex}"
            await self.snapshots.prepare(key, chain)
            self._mounted[chain] = (key, Tree(await self.snapshots.mount(key, volatile=True)))
        return self._mounted[chain][1]

    async def close(self) -> None:
        """Unmount everything."""
        while self._mounted:
            _, (key, tree) = self._mounted.popitem()
            tree.close()
            await self.snapshots.remove(key)


def clean_path(path: str) -> str:
    """A path from a root, without ``..``."""
    return posixpath.normpath("/" + path.lstrip("/"))
