"""Carries a plan out: one stage after the other, one image a step, as dockerd's classic builder does."""

import asyncio
import copy
import secrets
import uuid
from dataclasses import dataclass

from agent.engine.build import copying
from agent.engine.build.cache import Cache, lineage
from agent.engine.build.config import Json, StageState, apply
from agent.engine.build.instructions import Arg, Copy, Instruction, Run, Workdir
from agent.engine.build.lexer import DockerfileError
from agent.engine.build.output import Output, short
from agent.engine.build.parser import parse_trigger
from agent.engine.build.plan import Plan, Stage
from agent.engine.build.runmounts import MountMaker, key_words
from agent.engine.build.running import Runner
from agent.engine.build.scope import StageScope
from agent.engine.build.stages import Built, Images, Snapshots, Sources
from agent.engine.build.tree import Tree
from agent.engine.errors import EngineError, Invalid
from agent.engine.images.store import Image
from agent.engine.kernel import files
from agent.engine.kernel.failpoints import failpoint
from agent.engine.storage.layers import LayerRef


@dataclass
class Step:
    """Where a stage stands: the image made last, and the configuration of the next."""

    image: Image | None
    state: StageState
    cache: Cache


@dataclass
class Build:
    """One build under way."""

    plan: Plan
    context: Tree
    images: Images
    snapshots: Snapshots
    sources: Sources
    runner: Runner
    mounts: MountMaker
    output: Output
    no_cache: bool = False
    cache_from: tuple[str, ...] = ()

    async def run(self) -> Image:
        """Build every stage that the target needs; the target's image.

        Raises:
            BuildFailed: a RUN failed.
            EngineError: a step could not be carried out.
        """
        for warning in self.plan.dockerfile.warnings:
            self.output.warn(warning)
        for arg in self.plan.dockerfile.globals:
            self.output.step(arg.code)
        built = Built(None, {})
        for stage in self.plan.stages:
            built = await self._stage(stage)
            self.sources.stages[stage.index] = built
        if unused := self.plan.scope.unused():
            self.output.say(f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed")
        if built.image is None:
            raise Invalid("No image was generated. Is your Dockerfile empty?")
        return built.image

    async def _stage(self, stage: Stage) -> Built:
        self.output.step(stage.start.code)
        base = await self.sources.base(stage.base, stage.parent, stage.platform)
        state = StageState.begin(base.config, StageScope(self.plan.scope))
        if base.image is not None:
            state.config["Image"] = base.image.id
        at = Step(
            base.image, state, Cache(self.images, off=self.no_cache, sources=lineage(self.images, self.cache_from))
        )
        if triggers := base.config.get("OnBuild") or []:
            self.output.say(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}")
            for trigger in triggers:
                await self._dispatch(at, parse_trigger(trigger, stage.base))
        self.output.say(f" ---> {short(at.image.id if at.image else '')}")
        for instruction in stage.instructions:
            self.output.step(instruction.code)
            await self._instruction(at, instruction)
            self.output.say(f" ---> {short(at.image.id if at.image else '')}")
        if at.image is not None:
            self.output.image(at.image.id)
        return Built(at.image, at.state.config)

    async def _instruction(self, at: Step, instruction: Instruction) -> None:
        """One instruction of the file; what is wrong with it is said with file and line."""
        try:
            await self._dispatch(at, instruction)
        except DockerfileError:
            raise
        except EngineError as error:
            if not instruction.line:
                raise
            raise type(error)(f"{self.plan.dockerfile.name}:{instruction.line}: {error}") from error

    async def _dispatch(self, at: Step, instruction: Instruction) -> None:
        match instruction:
            case Run():
                await self._run(at, instruction)
            case Copy():
                await self._copy(at, instruction)
            case Workdir():
                await self._workdir(at, instruction)
            case _:
                await self._configure(at, instruction)
        if at.image is not None:
            at.state.config["Image"] = at.image.id

    async def _configure(self, at: Step, instruction: Instruction) -> None:
        comment = apply(at.state, instruction)
        step = self._commented(at, "#(nop) ", comment)
        if self._hit(at, step):
            return
        self._pretend()
        at.image = await self._made(at, step, None, instruction)

    async def _workdir(self, at: Step, instruction: Workdir) -> None:
        comment = apply(at.state, instruction)
        step = self._commented(at, f"#(nop) {comment}")
        if self._hit(at, step):
            return
        self._pretend()
        path = at.state.config["WorkingDir"]
        key = await self._layer(at.image)
        try:
            root = await self.snapshots.mount(key, volatile=True)
            tree = Tree(root)
            try:
                there = tree.is_folder(path)
            finally:
                tree.close()
            if not there:
                try:
                    await asyncio.to_thread(files.make_beneath, root, path)
                except OSError as error:
                    raise Invalid(f"cannot make the working directory {path}: {error.strerror}") from error
            layer = await self.images.commit_layer(key, move=True)
        finally:
            await self.snapshots.remove(key)
        at.image = await self._made(at, step, layer, instruction)

    async def _copy(self, at: Step, instruction: Copy) -> None:
        source = await self.sources.tree(instruction.origin) if instruction.origin else self.context
        prepared = await asyncio.to_thread(copying.prepare, instruction, at.state, source)
        step = self._commented(at, f"#(nop) {prepared.comment}")
        if self._hit(at, step):
            return
        key = await self._layer(at.image)
        try:
            root = await self.snapshots.mount(key, volatile=True)
            await copying.perform(prepared, source, root, parents=instruction.parents)
            failpoint("build.written")
            layer = await self.images.commit_layer(key, move=True)
            failpoint("build.layer")
        finally:
            await self.snapshots.remove(key)
        at.image = await self._made(at, step, layer, instruction)

    async def _run(self, at: Step, instruction: Run) -> None:
        state = at.state
        words = state.command_line(instruction.command)
        async with self.mounts.mounted(instruction, state.expand, state.absolute) as mounts:
            recorded = state.scope.recorded(state.env)
            step = self._step(at, key_words(mounts, recorded, words)) | {"Entrypoint": None}
            if self._hit(at, step):
                return
            image = at.image or await self.images.create_from_layers(copy.deepcopy(state.config), None, [])
            container, layer = await self.runner.run(instruction, state, image, mounts)
            failpoint("build.ran")
        self._removing(container)
        at.image = await self._made(at, step, layer, instruction, container=container)

    async def _layer(self, image: Image | None) -> str:
        key = f"build-{uuid.uuid4().hex}"
        await self.snapshots.prepare(key, image.chain_id if image else "")
        return key

    def _commented(self, at: Step, *words: str) -> Json:
        return self._step(at, [*at.state.shell, *words])

    def _step(self, at: Step, command: list[str]) -> Json:
        return copy.deepcopy(at.state.config) | {"Cmd": command}

    def _hit(self, at: Step, step: Json) -> bool:
        found = at.cache.find(at.image, step)
        if found is None:
            return False
        self.output.say(" ---> Using cache")
        at.image = found
        return True

    def _pretend(self) -> None:
        """Clients know these lines of steps that only change the configuration."""
        container = secrets.token_hex(32)
        self.output.say(f" ---> Running in {container[:12]}")
        self._removing(container)

    def _removing(self, container: str) -> None:
        if self.runner.options.remove:
            self.output.say(f"Removing intermediate container {container[:12]}")

    async def _made(
        self, at: Step, step: Json, layer: LayerRef | None, instruction: Instruction, *, container: str = ""
    ) -> Image:
        if isinstance(instruction, Arg):
            self._warn_of_secrets(instruction)
        return await self.images.create_from_layers(
            copy.deepcopy(at.state.config),
            at.image,
            [layer] if layer else [],
            created_by=" ".join(step["Cmd"]),
            author=at.state.author,
            container=container,
            container_config=step,
        )

    def _warn_of_secrets(self, instruction: Arg) -> None:
        for name, _ in instruction.pairs:
            if any(word in name.upper() for word in ("PASSWORD", "SECRET", "TOKEN", "APIKEY", "PRIVATE_KEY")):
                self.output.warn(
                    f"[WARNING]: ARG {name} stays readable in the image's history: do not use it for secrets"
                )
