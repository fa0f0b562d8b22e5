"""The instructions of a Dockerfile as values, as parsed and before any expansion."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Instruction:
    """What all have: the text that progress output repeats, and the line where it starts."""

    code: str
    line: int


@dataclasses.dataclass(frozen=True)
class From(Instruction):
    """FROM base [AS name]; the name is in lower case, empty if none was given."""

    base: str
    name: str = ""
    platform: str = ""


@dataclasses.dataclass(frozen=True)
class Arg(Instruction):
    """ARG name[=default] …; None where no default was given."""

    pairs: tuple[tuple[str, str | None], ...]


@dataclasses.dataclass(frozen=True)
class Env(Instruction):
    pairs: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Label(Instruction):
    """LABEL; those of ``--label`` are literal, they are not expanded."""

    pairs: tuple[tuple[str, str], ...]
    literal: bool = False


@dataclasses.dataclass(frozen=True)
class InlineFile:
    """A here-document used as a source of COPY or ADD."""

    name: str
    content: str
    expand: bool


@dataclasses.dataclass(frozen=True)
class Copy(Instruction):
    """COPY, and ADD with ``unpack``; a source is a path or an inline file, in the order written."""

    keyword: str
    sources: tuple[str | InlineFile, ...]
    destination: str
    origin: str = ""
    chown: str = ""
    chmod: str = ""
    checksum: str = ""
    parents: bool = False
    link: bool = False
    unpack: bool = False
    excludes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Command:
    """What RUN, CMD and ENTRYPOINT take: a list as it is, or one line for the shell."""

    words: tuple[str, ...]
    by_shell: bool


@dataclasses.dataclass(frozen=True)
class Run(Instruction):
    """RUN; ``script`` is a here-document with ``#!``, run as a file of that name."""

    command: Command
    mounts: tuple[str, ...] = ()
    network: str = ""
    script: InlineFile | None = None


@dataclasses.dataclass(frozen=True)
class Cmd(Instruction):
    command: Command


@dataclasses.dataclass(frozen=True)
class Entrypoint(Instruction):
    command: Command


@dataclasses.dataclass(frozen=True)
class Expose(Instruction):
    ports: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Healthcheck(Instruction):
    """HEALTHCHECK; times in nanoseconds, zero for the default."""

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclasses.dataclass(frozen=True)
class Maintainer(Instruction):
    name: str


@dataclasses.dataclass(frozen=True)
class OnBuild(Instruction):
    """ONBUILD; the trigger as text, here-documents included, read again in the child."""

    trigger: str


@dataclasses.dataclass(frozen=True)
class Shell(Instruction):
    words: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class StopSignal(Instruction):
    signal: str


@dataclasses.dataclass(frozen=True)
class User(Instruction):
    user: str


@dataclasses.dataclass(frozen=True)
class Volume(Instruction):
    paths: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Workdir(Instruction):
    path: str


@dataclasses.dataclass(frozen=True)
class Dockerfile:
    """A whole file: ARGs before the first FROM, then one list per stage, FROM first in each."""

    name: str
    globals: tuple[Arg, ...]
    stages: tuple[tuple[From, tuple[Instruction, ...]], ...]
    escape: str = "\\"
    warnings: tuple[str, ...] = ()
