"""Statements as typed instructions, and instructions as stages. Text in, values out: no IO."""

import dataclasses
import difflib
import re
from collections.abc import Callable

from agent.engine.build.flags import Flags
from agent.engine.build.instructions import (
    Arg,
    Cmd,
    Command,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    InlineFile,
    Instruction,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from agent.engine.build.lexer import HEREDOC_WORD, DockerfileError, Statement, heredoc_name, read, split_statement
from agent.engine.build.times import nanoseconds
from agent.engine.build.words import blank_separated, json_list, pairs, split_words
from agent.engine.errors import Invalid

STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


def parse(source: bytes, name: str = "Dockerfile") -> Dockerfile:
    """Read a whole Dockerfile.

    Raises:
        DockerfileError: an instruction is unknown or wrong; file and line are named.
        Invalid: the file holds no instruction, or no FROM.
    """
    read_source = read(source, name)
    first: list[Arg] = []
    stages: list[tuple[From, list[Instruction]]] = []
    for statement in read_source.statements:
        instruction = parse_statement(statement, read_source.escape, name)
        if isinstance(instruction, From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            first.append(instruction)
        else:
            raise DockerfileError(name, statement.line, "no build stage in current context")
    if not stages:
        raise Invalid(f"failed to parse {name}: dockerfile contains no stages to build")
    return Dockerfile(
        name=name,
        globals=tuple(first),
        stages=tuple((start, tuple(rest)) for start, rest in stages),
        escape=read_source.escape,
        warnings=read_source.warnings,
    )


def parse_trigger(trigger: str, image: str) -> Instruction:
    """An ONBUILD trigger of a base image, as an instruction of the child."""
    name = f"ONBUILD of {image}"
    read_source = read(trigger.encode(), name)
    if len(read_source.statements) != 1:
        raise Invalid("onbuild trigger should be a single expression")
    return parse_statement(read_source.statements[0], read_source.escape, name)


def parse_statement(statement: Statement, escape: str, name: str) -> Instruction:
    """One statement as an instruction."""
    parser = PARSERS.get(statement.keyword.lower())
    try:
        if parser is None:
            near = difflib.get_close_matches(statement.keyword.lower(), PARSERS, n=1)
            hint = f" (did you mean {near[0].upper()}?)" if near else ""
            raise Invalid(f"unknown instruction: {statement.keyword}{hint}")
        return parser(statement, Flags(statement.keyword, statement.flags), escape)
    except Invalid as problem:
        reason = problem.problem if isinstance(problem, DockerfileError) else str(problem)
        raise DockerfileError(name, statement.line, reason) from None


def _from(statement: Statement, flags: Flags, escape: str) -> Instruction:
    words = blank_separated(statement.rest)
    stage = ""
    if len(words) == 3 and words[1].lower() == "as":
        stage = words[2].lower()
        if not STAGE_NAME.fullmatch(stage):
            reason = "name can't start with a number or contain symbols"
            raise Invalid(f'invalid name for build stage: "{words[2]}", {reason}')
    elif len(words) != 1:
        raise Invalid("FROM requires either one or three arguments")
    return From(statement.code, statement.line, words[0], stage, flags.text("platform"))


def _arg(statement: Statement, flags: Flags, escape: str) -> Instruction:
    words = split_words(statement.rest, escape)
    if not words:
        raise Invalid("ARG requires at least one argument")
    found: list[tuple[str, str | None]] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not name:
            raise Invalid("ARG names can not be blank")
        found.append((name, value if equals else None))
    return Arg(statement.code, statement.line, tuple(found))


def _env(statement: Statement, flags: Flags, escape: str) -> Instruction:
    return Env(statement.code, statement.line, tuple(pairs(statement.rest, "ENV", escape)))


def _label(statement: Statement, flags: Flags, escape: str) -> Instruction:
    return Label(statement.code, statement.line, tuple(pairs(statement.rest, "LABEL", escape)))


def _copy(statement: Statement, flags: Flags, escape: str) -> Instruction:
    keyword = statement.keyword.upper()
    words = json_list(statement.rest)
    if words is None:
        # "<< EOF" is one word: the blank between belongs to it.
        words = blank_separated(re.sub(r"(<<-?)[\t ]+", r"\1", statement.rest))
    if len(words) < 2:
        problem = "requires at least two arguments, but only one was provided. Destination could not be determined"
        raise Invalid(f"{keyword} {problem}")
    *given, destination = words
    if HEREDOC_WORD.match(destination):
        raise Invalid(f"{keyword} cannot accept a heredoc as a destination")
    documents = {document.name: document for document in statement.heredocs}
    sources: list[str | InlineFile] = []
    for source in given:
        document = documents.get(heredoc_name(source)[0]) if HEREDOC_WORD.match(source) else None
        sources.append(InlineFile(document.name, document.content, document.expand) if document else source)
    return Copy(
        code=statement.code,
        line=statement.line,
        keyword=keyword,
        sources=tuple(sources),
        destination=destination,
        origin=flags.text("from"),
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        checksum=flags.text("checksum"),
        parents=flags.truth("parents"),
        link=flags.truth("link"),
        unpack=keyword == "ADD" and (flags.truth("unpack") or not flags.given("unpack")),
        excludes=flags.every("exclude"),
    )


def _first_word(text: str) -> tuple[str, str]:
    word, *rest = text.split(None, 1)
    return word, rest[0].strip() if rest else ""


def _command(text: str) -> Command:
    words = json_list(text)
    if words is None:
        return Command((text,) if text else (), by_shell=True)
    return Command(tuple(words), by_shell=False)


def _run(statement: Statement, flags: Flags, escape: str) -> Instruction:
    if flags.text("security") not in ("", "sandbox"):
        raise Invalid(f"security mode {flags.text('security')} is not allowed")
    if flags.given("device"):
        raise Invalid("RUN --device is not supported")
    network = flags.text("network")
    if network not in ("", "default", "none", "host"):
        raise Invalid(f"invalid network mode {network}: must be default, none or host")
    command, script = _command(statement.rest), None
    if statement.heredocs:
        only = statement.heredocs[0]
        if not HEREDOC_WORD.match(statement.rest):
            # The shell reads it: give it back as it was written.
            text = statement.rest + "".join(f"\n{each.content}{each.name}" for each in statement.heredocs)
            command = Command((text,), by_shell=True)
        elif only.content.startswith("#!"):
            script = InlineFile(only.name, only.content, expand=False)
            command = Command((f"/dev/pipes/{only.name}",), by_shell=True)
        else:
            command = Command((only.content,), by_shell=True)
    return Run(statement.code, statement.line, command, flags.every("mount"), network, script)


def _cmd(statement: Statement, flags: Flags, escape: str) -> Instruction:
    return Cmd(statement.code, statement.line, _command(statement.rest))


def _entrypoint(statement: Statement, flags: Flags, escape: str) -> Instruction:
    return Entrypoint(statement.code, statement.line, _command(statement.rest))


def _expose(statement: Statement, flags: Flags, escape: str) -> Instruction:
    ports = blank_separated(statement.rest)
    if not ports:
        raise Invalid("EXPOSE requires at least one argument")
    return Expose(statement.code, statement.line, tuple(sorted(ports)))


def _healthcheck(statement: Statement, flags: Flags, escape: str) -> Instruction:
    if not statement.rest:
        raise Invalid("HEALTHCHECK requires at least one argument")
    kind, rest = _first_word(statement.rest)
    if kind.upper() == "NONE":
        if rest:
            raise Invalid("HEALTHCHECK NONE takes no arguments")
        return Healthcheck(statement.code, statement.line, ("NONE",))
    if kind.upper() != "CMD":
        raise Invalid(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')
    command = _command(rest)
    if not command.words:
        raise Invalid("Missing command after HEALTHCHECK CMD")
    times = {
        name: nanoseconds(flags.text(name), name) for name in ("interval", "timeout", "start-period", "start-interval")
    }
    retries = flags.text("retries") or "0"
    if not re.fullmatch(r"[+-]?\d+", retries) or int(retries) < 0:
        raise Invalid(f"--retries must be a number that is not negative ({retries})")
    return Healthcheck(
        code=statement.code,
        line=statement.line,
        test=("CMD-SHELL" if command.by_shell else "CMD", *command.words),
        interval=times["interval"],
        timeout=times["timeout"],
        start_period=times["start-period"],
        start_interval=times["start-interval"],
        retries=int(retries),
    )


def _only_word(build: Callable[[str, int, str], Instruction]) -> Callable[[Statement, Flags, str], Instruction]:
    """A parser for instructions whose whole rest is one value."""

    def parser(statement: Statement, flags: Flags, escape: str) -> Instruction:
        if not statement.rest:
            raise Invalid(f"{statement.keyword.upper()} requires exactly one argument")
        return build(statement.code, statement.line, statement.rest)

    return parser


def _onbuild(statement: Statement, flags: Flags, escape: str) -> Instruction:
    if not statement.rest:
        raise Invalid("ONBUILD requires at least one argument")
    keyword = _first_word(statement.rest)[0].upper()
    if keyword == "ONBUILD":
        raise Invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if keyword in ("MAINTAINER", "FROM"):
        raise Invalid(f"{keyword} isn't allowed as an ONBUILD trigger")
    # Read here too, so that a mistake is told where it stands and not in the child.
    inner = split_statement(statement.rest, escape, statement.line)
    parse_statement(dataclasses.replace(inner, heredocs=statement.heredocs), escape, "ONBUILD")
    text = statement.rest + "".join(f"\n{each.content}{each.name}" for each in statement.heredocs)
    return OnBuild(statement.code, statement.line, text)


def _shell(statement: Statement, flags: Flags, escape: str) -> Instruction:
    words = json_list(statement.rest)
    if words is None:
        raise Invalid(f'SHELL requires the arguments to be in JSON form: "{statement.code}"')
    if not words:
        raise Invalid("SHELL requires at least one argument")
    return Shell(statement.code, statement.line, tuple(words))


def _volume(statement: Statement, flags: Flags, escape: str) -> Instruction:
    words = json_list(statement.rest)
    if words is None:
        words = blank_separated(statement.rest)
    if not words:
        raise Invalid("VOLUME requires at least one argument")
    if not all(word.strip() for word in words):
        raise Invalid("VOLUME specified can not be an empty string")
    return Volume(statement.code, statement.line, tuple(word.strip() for word in words))


PARSERS: dict[str, Callable[[Statement, Flags, str], Instruction]] = {
    "add": _copy,
    "arg": _arg,
    "cmd": _cmd,
    "copy": _copy,
    "entrypoint": _entrypoint,
    "env": _env,
    "expose": _expose,
    "from": _from,
    "healthcheck": _healthcheck,
    "label": _label,
    "maintainer": _only_word(Maintainer),
    "onbuild": _onbuild,
    "run": _run,
    "shell": _shell,
    "stopsignal": _only_word(StopSignal),
    "user": _only_word(User),
    "volume": _volume,
    "workdir": _only_word(Workdir),
}
