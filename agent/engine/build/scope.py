"""Which arguments an instruction sees: ARG, ``--build-arg``, the platform's own, the proxies."""

import dataclasses
from collections.abc import Mapping

from agent.engine.build.expand import expand_word
from agent.engine.build.instructions import Arg

PROXIES = tuple(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)


@dataclasses.dataclass(frozen=True)
class Platform:
    """``os/architecture[/variant]`` of what is built and of what builds: always this host."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def arguments(self, target: str) -> dict[str, str]:
        """The predefined arguments, which a stage must name before it sees them."""
        found = {"TARGETSTAGE": target or "default"}
        for side in ("TARGET", "BUILD"):
            found |= {
                f"{side}PLATFORM": str(self),
                f"{side}OS": self.os,
                f"{side}ARCH": self.architecture,
                f"{side}VARIANT": self.variant,
            }
        return found


class Globals:
    """The scope of FROM lines: ARGs before the first FROM, and what was given with the build."""

    def __init__(self, given: Mapping[str, str | None], platform: Platform, target: str, escape: str) -> None:
        self.given = {name: value for name, value in given.items() if value is not None}
        self.escape = escape
        self.values = platform.arguments(target)
        for name in self.values.keys() & self.given.keys():
            self.values[name] = self.given[name]
        self.used: set[str] = set()
        self._names = frozenset(given)

    def declare(self, arg: Arg) -> None:
        """An ARG before FROM; later ones see earlier ones."""
        for name, default in arg.pairs:
            self.used.add(name)
            value = self.given.get(name)
            if value is None and default is not None:
                value = self.expand(default)
            if value is not None:
                self.values[name] = value

    def expand(self, word: str) -> str:
        """A word of a FROM line."""
        return expand_word(word, self.values, self.escape)

    def unused(self) -> list[str]:
        """Names given with ``--build-arg`` that no ARG took up."""
        return sorted(self._names - self.used - set(PROXIES))


class StageScope:
    """The scope inside one stage: empty at FROM but for the proxies, grown by ARG."""

    def __init__(self, shared: Globals) -> None:
        self._shared = shared
        self._values: dict[str, str] = {}
        self._declared: set[str] = set()

    def declare(self, name: str, default: str | None) -> None:
        """An ARG of the stage: what was given wins over its default, that over an ARG before FROM."""
        self._shared.used.add(name)
        self._declared.add(name)
        value = self._shared.given.get(name, default)
        if value is None:
            value = self._shared.values.get(name)
        if value is None:
            self._values.pop(name, None)
        else:
            self._values[name] = value

    def arguments(self, env: Mapping[str, str]) -> dict[str, str]:
        """All arguments that reach RUN: ENV hides an ARG of the same name, proxies need no ARG."""
        proxies = {name: self._shared.given[name] for name in PROXIES if name in self._shared.given}
        return {name: value for name, value in (proxies | self._values).items() if name not in env}

    def recorded(self, env: Mapping[str, str]) -> dict[str, str]:
        """The arguments that the history and the cache's key hold: all but proxies that no ARG named."""
        return {n: v for n, v in self.arguments(env).items() if n in self._declared or n not in PROXIES}

    def variables(self, env: Mapping[str, str]) -> dict[str, str]:
        """What ``$name`` stands for."""
        return self.arguments(env) | dict(env)

    def expand(self, word: str, env: Mapping[str, str]) -> str:
        """A word of an instruction of this stage."""
        return expand_word(word, self.variables(env), self._shared.escape)
