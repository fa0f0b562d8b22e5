"""Builds as the API asks for them: context, Dockerfile, plan, execution, names."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterable, Iterable
from pathlib import Path

from agent.engine.build import context, parser, plan
from agent.engine.build.executor import Build
from agent.engine.build.options import BuildOptions
from agent.engine.build.output import Output, Report
from agent.engine.build.runmounts import MountMaker
from agent.engine.build.running import Attaching, Containers, Runner
from agent.engine.build.scope import Platform
from agent.engine.build.stages import Images, Snapshots, Sources
from agent.engine.errors import Invalid, NotFound
from agent.engine.events import EventBus
from agent.engine.images import configs, reference
from agent.engine.kernel.failpoints import failpoint
from agent.engine.state.locks import Locks
from agent.engine.storage.drivers.stacked import usage


class BuildService:
    """Builds images from contexts.

    Args:
        tmp: where contexts are unpacked.
        caches: where ``RUN --mount=type=cache`` keeps its folders.
    """

    def __init__(
        self,
        *,
        tmp: Path,
        caches: Path,
        images: Images,
        snapshots: Snapshots,
        containers: Containers,
        attaching: Attaching,
        events: EventBus,
    ) -> None:
        self._tmp, self._caches = tmp, caches
        self._images, self._snapshots = images, snapshots
        self._containers, self._attaching = containers, attaching
        self._events = events
        self._locks = Locks()
        self._platform = Platform(architecture=configs.architecture())

    async def recover(self, managed: Iterable[str], snapshots: Iterable[str]) -> None:
        """Take away what builds left that a crash of the engine ended.

        Args:
            managed: ids of the engine's own containers.
            snapshots: keys of writable layers.
        """
        for left in self._tmp.glob("build-*"):
            await asyncio.to_thread(shutil.rmtree, left, ignore_errors=True)
        for container_id in managed:
            with contextlib.suppress(NotFound):
                await self._containers.remove(container_id, force=True, volumes=True)
        for key in snapshots:
            if key.startswith("build-"):
                await self._snapshots.remove(key)

    async def prune(self) -> tuple[list[str], int]:
        """Remove the folders of ``RUN --mount=type=cache``; a RUN that has one mounted keeps it to its end.

        Returns:
            Their names, and bytes freed.
        """
        names, freed = await asyncio.to_thread(_emptied, self._caches, self._tmp)
        self._events.publish("builder", "prune", "", {"reclaimed": str(freed)})
        return names, freed

    async def build(self, chunks: AsyncIterable[bytes], options: BuildOptions, report: Report) -> None:
        """Build, report as dockerd does, and give the image its names.

        Raises:
            BuildFailed: a RUN ended with another status than 0.
            EngineError: what is wrong; nothing is named then.
        """
        names = [reference.parse(tag) for tag in options.tags]
        if any(name.digest for name in names):
            raise Invalid("invalid reference format: an image cannot be tagged with a digest")
        async with context.opened(chunks, options.dockerfile, self._tmp) as opened:
            failpoint("build.opened")
            dockerfile = await asyncio.to_thread(parser.parse, opened.dockerfile, opened.name)
            made = plan.make(
                dockerfile,
                given=options.arguments,
                labels=options.labels,
                platform=self._platform,
                target=options.target,
            )
            output = Output(report, made.steps, quiet=options.quiet)
            sources = Sources(self._images, self._snapshots, options, self._platform, made, output.progress)
            runner = Runner(self._containers, self._attaching, self._images, self._snapshots, options, output)
            mounts = MountMaker(sources, opened.tree, opened.scratch, self._caches, self._locks)
            build = Build(
                plan=made,
                context=opened.tree,
                images=self._images,
                snapshots=self._snapshots,
                sources=sources,
                runner=runner,
                mounts=mounts,
                output=output,
                no_cache=options.no_cache,
                cache_from=options.cache_from,
            )
            try:
                image = await build.run()
            finally:
                await sources.close()
        shown = []
        for name in names:
            full = name.with_default_tag()
            await self._images.tag(image.id, full.familiar_name, full.tag)
            shown.append(full.familiar)
        failpoint("build.named")
        output.built(image.id, shown)


def _emptied(caches: Path, tmp: Path) -> tuple[list[str], int]:
    names, freed = [], 0
    for folder in sorted(caches.iterdir()) if caches.is_dir() else ():
        trash = tmp / f"build-{folder.name}"
        folder.rename(trash)
        names.append(folder.name)
        freed += usage(trash)
        shutil.rmtree(trash, ignore_errors=True)
    return names, freed
