"""What each instruction makes of an image's configuration. Values in, values out: no IO.

The configuration is the JSON of Docker's image specification (``Env``, ``Cmd``, ``Entrypoint`` …), as a dict.
"""

import copy
import dataclasses
import json
import posixpath
import re
import signal
from typing import Any

from agent.engine.build.expand import expand_words
from agent.engine.build.instructions import (
    Arg,
    Cmd,
    Command,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    OnBuild,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from agent.engine.build.scope import StageScope
from agent.engine.errors import Invalid

Json = dict[str, Any]
DEFAULT_SHELL = ["/bin/sh", "-c"]
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FIELDS: Json = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
    "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None, "Cmd": None, "Image": "", "Volumes": None,
    "WorkingDir": "", "Entrypoint": None, "OnBuild": None, "Labels": None,
}  # fmt: skip


@dataclasses.dataclass
class StageState:
    """The configuration as it stands, and what of it only the build knows."""

    config: Json
    scope: StageScope
    author: str = ""
    cmd_set: bool = False

    @classmethod
    def begin(cls, base: Json, scope: StageScope, author: str = "") -> "StageState":
        """A stage on top of a base's configuration: a PATH is there from the start, triggers are taken off."""
        config = copy.deepcopy(FIELDS) | copy.deepcopy({k: v for k, v in base.items() if v is not None})
        env = list(config["Env"] or [])
        if not any(pair.startswith("PATH=") for pair in env):
            env.append(f"PATH={DEFAULT_PATH}")
        config |= {"Env": env, "OnBuild": None, "OpenStdin": False, "StdinOnce": False}
        return cls(config, scope, author)

    @property
    def env(self) -> dict[str, str]:
        """``Env`` by name."""
        return dict(pair.partition("=")[::2] for pair in self.config["Env"] or [])

    @property
    def shell(self) -> list[str]:
        """What runs the shell form."""
        return list(self.config.get("Shell") or DEFAULT_SHELL)

    def expand(self, word: str) -> str:
        """A word with the stage's variables in it."""
        return self.scope.expand(word, self.env)

    def command_line(self, command: Command) -> list[str]:
        """The words of a command, the shell before them if it is one line."""
        return [*self.shell, *command.words] if command.by_shell else list(command.words)

    def absolute(self, path: str) -> str:
        """A path against the working directory, clean, a trailing slash kept."""
        joined = posixpath.join("/", self.config["WorkingDir"] or "/", path)
        clean = "/" + posixpath.normpath(joined).lstrip("/")
        return clean + "/" if clean != "/" and (path.endswith(("/", "/.")) or path == ".") else clean


def apply(state: StageState, instruction: Instruction) -> str:
    """Change the configuration as one instruction says; returns what the history says of it.

    Raises:
        Invalid: a port, a signal or an expansion is wrong.
    """
    config = state.config
    match instruction:
        case Arg(pairs=defaults):
            shown = []
            for name, default in defaults:
                value = None if default is None else state.expand(default)
                state.scope.declare(name, value)
                shown.append(name if value is None else f"{name}={value}")
            return "ARG " + " ".join(shown)
        case Env(pairs=pairs):
            new = {state.expand(name): state.expand(value) for name, value in pairs}
            config["Env"] = [f"{name}={value}" for name, value in (state.env | new).items()]
            return "ENV " + " ".join(f"{name}={value}" for name, value in new.items())
        case Label(pairs=pairs, literal=literal):
            new = dict(pairs) if literal else {state.expand(name): state.expand(value) for name, value in pairs}
            config["Labels"] = (config["Labels"] or {}) | new
            return "LABEL " + " ".join(f"{name}={value}" for name, value in new.items())
        case Cmd(command=command):
            config["Cmd"] = state.command_line(command)
            state.cmd_set = state.cmd_set or bool(command.words)
            return f"CMD {_quoted(config['Cmd'])}"
        case Entrypoint(command=command):
            config["Entrypoint"] = state.command_line(command) if command.words else None
            # A CMD of the base was meant for the base's entrypoint.
            if not state.cmd_set:
                config["Cmd"] = None
            return f"ENTRYPOINT {_quoted(config['Entrypoint'] or [])}"
        case Expose(ports=ports):
            variables = state.scope.variables(state.env)
            words = [word for port in ports for word in expand_words(port, variables)]
            exposed = [port for word in words for port in exposed_ports(word)]
            config["ExposedPorts"] = (config.get("ExposedPorts") or {}) | {port: {} for port in exposed}
            return "EXPOSE " + " ".join(words)
        case Healthcheck():
            config["Healthcheck"] = _healthcheck(instruction)
            return f"HEALTHCHECK {json.dumps(config['Healthcheck'])}"
        case Maintainer(name=name):
            state.author = name
            return f"MAINTAINER {name}"
        case OnBuild(trigger=trigger):
            config["OnBuild"] = [*(config["OnBuild"] or []), trigger]
            return f"ONBUILD {trigger}"
        case Shell(words=words_):
            config["Shell"] = list(words_)
            return f"SHELL [{' '.join(words_)}]"
        case StopSignal(signal=name):
            config["StopSignal"] = _signal(state.expand(name))
            return f"STOPSIGNAL {config['StopSignal']}"
        case User(user=user):
            config["User"] = state.expand(user)
            return f"USER {config['User']}"
        case Volume(paths=paths):
            expanded = [state.expand(path) for path in paths]
            if not all(expanded):
                raise Invalid("VOLUME specified can not be an empty string")
            config["Volumes"] = (config["Volumes"] or {}) | {path: {} for path in expanded}
            return f"VOLUME [{' '.join(expanded)}]"
        case Workdir(path=path):
            config["WorkingDir"] = state.absolute(state.expand(path)).rstrip("/") or "/"
            return f"WORKDIR {config['WorkingDir']}"
        case _:
            raise Invalid(f"unsupported instruction: {instruction.code}")


def exposed_ports(word: str) -> list[str]:
    """``port[-port][/protocol]`` as ``port/protocol`` each; what stands before a colon is for the host, not for us."""
    ports, _, protocol = word.rpartition(":")[2].partition("/")
    protocol = (protocol or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise Invalid(f"invalid proto: {protocol}")
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", ports)
    if not found:
        raise Invalid(f"invalid containerPort: {ports}")
    first, last = int(found.group(1)), int(found.group(2) or found.group(1))
    if first > last or last > 65535:
        raise Invalid(f"invalid containerPort: {ports}")
    return [f"{port}/{protocol}" for port in range(first, last + 1)]


def _healthcheck(given: Healthcheck) -> Json:
    times = {
        "Interval": given.interval,
        "Timeout": given.timeout,
        "StartPeriod": given.start_period,
        "StartInterval": given.start_interval,
        "Retries": given.retries,
    }
    return {"Test": list(given.test)} | {name: value for name, value in times.items() if value}


def _signal(name: str) -> str:
    bare = name.upper().removeprefix("SIG")
    known = {each.name.removeprefix("SIG") for each in signal.Signals}
    is_number = name.isdecimal() and 0 < int(name) <= signal.SIGRTMAX
    if is_number or bare in known or re.fullmatch(r"RTM(IN\+|AX-)([0-9]|1[0-5])", bare):
        return name
    raise Invalid(f"Invalid signal: {name}")


def _quoted(words: list[str]) -> str:
    return "[" + " ".join(json.dumps(word, ensure_ascii=False) for word in words) + "]"
