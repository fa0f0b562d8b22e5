"""What is to be built: the stages that the target needs, each after those it needs itself. No IO."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping

from agent.engine.build.instructions import Copy, Dockerfile, From, Instruction, Label, Run
from agent.engine.build.lexer import DockerfileError
from agent.engine.build.mounts import mount_origin
from agent.engine.build.scope import Globals, Platform
from agent.engine.errors import Invalid


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage: its base is an image's name, or ``parent`` the index of an earlier stage."""

    index: int
    start: From
    base: str
    parent: int | None
    platform: str
    instructions: tuple[Instruction, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Stages in the order in which they are built; the last is the target."""

    dockerfile: Dockerfile
    scope: Globals
    stages: tuple[Stage, ...]
    names: tuple[str, ...]

    @property
    def steps(self) -> int:
        """How many ``Step n/m`` lines there will be."""
        inside = sum(1 + len(stage.instructions) for stage in self.stages)
        return len(self.dockerfile.globals) + inside

    def stage_of(self, name: str) -> int | None:
        """The stage that ``--from`` means: by name, the latest of that name, or by number."""
        return _stage_of(name, self.names)


def make(
    dockerfile: Dockerfile,
    *,
    given: Mapping[str, str | None],
    labels: Mapping[str, str],
    platform: Platform,
    target: str = "",
) -> Plan:
    """Decide what is built.

    Raises:
        Invalid: the target is no stage; a FROM is blank once expanded.
        DockerfileError: a stage needs itself, or a number that is no stage.
    """
    names = tuple(start.name for start, _ in dockerfile.stages)
    scope = Globals(given, platform, target, dockerfile.escape)
    for arg in dockerfile.globals:
        with located(dockerfile, arg):
            scope.declare(arg)
    stages = [_stage(dockerfile, index, scope) for index in range(len(dockerfile.stages))]
    wanted = _target(dockerfile, target, names)
    extra = tuple(Label(f"LABEL {k}={v}", 0, ((k, v),), literal=True) for k, v in sorted(labels.items()))
    stages[wanted] = dataclasses.replace(stages[wanted], instructions=stages[wanted].instructions + extra)
    order = _Order(dockerfile, stages, names)
    order.visit(wanted)
    return Plan(dockerfile, scope, tuple(stages[index] for index in order.done), names)


@contextlib.contextmanager
def located(dockerfile: Dockerfile, instruction: Instruction) -> Iterator[None]:
    """What is wrong inside is said of this instruction."""
    try:
        yield
    except DockerfileError:
        raise
    except Invalid as problem:
        raise DockerfileError(dockerfile.name, instruction.line, str(problem)) from None


def _stage(dockerfile: Dockerfile, index: int, scope: Globals) -> Stage:
    start, instructions = dockerfile.stages[index]
    with located(dockerfile, start):
        base, platform = scope.expand(start.base), scope.expand(start.platform)
        if not base:
            raise Invalid(f"base name ({start.base}) should not be blank")
    earlier = [other.name for other, _ in dockerfile.stages[:index]]
    parent = max((at for at, name in enumerate(earlier) if name and name == base.lower()), default=None)
    return Stage(index, start, base, parent, platform, instructions)


def _target(dockerfile: Dockerfile, target: str, names: tuple[str, ...]) -> int:
    if not target:
        return len(names) - 1
    found = _stage_of(target, names)
    if found is None or found >= len(names):
        raise Invalid(f"failed to reach build target {target} in {dockerfile.name}")
    return found


def _stage_of(name: str, names: tuple[str, ...]) -> int | None:
    by_name = max((at for at, each in enumerate(names) if each and each == name.lower()), default=None)
    if by_name is not None:
        return by_name
    return int(name) if name.isdecimal() else None


class _Order:
    """Indices of stages, each after everything that it needs."""

    def __init__(self, dockerfile: Dockerfile, stages: list[Stage], names: tuple[str, ...]) -> None:
        self._dockerfile, self._stages, self._names = dockerfile, stages, names
        self.done: list[int] = []
        self._open: list[int] = []

    def visit(self, index: int) -> None:
        """Add a stage and what it needs; raises DockerfileError when it needs itself."""
        if index in self.done:
            return
        self._open.append(index)
        for needed, line in self._needs(self._stages[index]):
            if needed >= len(self._stages):
                raise DockerfileError(self._dockerfile.name, line, f"invalid stage index {needed}")
            if needed in self._open:
                label = self._names[needed] or str(needed)
                raise DockerfileError(self._dockerfile.name, line, f"circular dependency detected on stage: {label}")
            self.visit(needed)
        self._open.pop()
        self.done.append(index)

    def _needs(self, stage: Stage) -> list[tuple[int, int]]:
        found = [] if stage.parent is None else [(stage.parent, stage.start.line)]
        for instruction in stage.instructions:
            with located(self._dockerfile, instruction):
                for origin in _origins(instruction):
                    index = _stage_of(origin, self._names)
                    if index is not None:
                        found.append((index, instruction.line))
        return found


def _origins(instruction: Instruction) -> list[str]:
    if isinstance(instruction, Copy):
        return [instruction.origin] if instruction.origin else []
    if isinstance(instruction, Run):
        return [origin for mount in instruction.mounts if (origin := mount_origin(mount))]
    return []
