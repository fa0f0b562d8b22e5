"""The ``--flags`` of instructions, known by instruction."""

import difflib
from collections.abc import Iterable

from agent.engine.errors import Invalid

BOOL, STRING, STRINGS = "bool", "string", "strings"
KNOWN: dict[str, dict[str, str]] = {
    "from": {"platform": STRING},
    "add": {
        "chown": STRING, "chmod": STRING, "link": BOOL, "keep-git-dir": BOOL, "checksum": STRING, "unpack": BOOL,
        "exclude": STRINGS,
    },
    "copy": {"chown": STRING, "chmod": STRING, "from": STRING, "link": BOOL, "parents": BOOL, "exclude": STRINGS},
    "run": {"mount": STRINGS, "network": STRING, "security": STRING, "device": STRINGS},
    "healthcheck": {
        "interval": STRING, "timeout": STRING, "start-period": STRING, "start-interval": STRING, "retries": STRING,
    },
}  # fmt: skip


class Flags:
    """The flags given to one instruction, checked."""

    def __init__(self, keyword: str, given: Iterable[str]) -> None:
        """Raises Invalid for an unknown flag, one given twice, or a value that is missing or not a boolean."""
        self._values: dict[str, list[str]] = {}
        known = KNOWN.get(keyword.lower(), {})
        for flag in given:
            name, equals, value = flag.removeprefix("--").partition("=")
            kind = known.get(name)
            if kind is None:
                near = difflib.get_close_matches(name, known, n=1)
                raise Invalid(f"unknown flag: --{name}" + (f" (did you mean {near[0]}?)" if near else ""))
            if name in self._values and kind != STRINGS:
                raise Invalid(f"duplicate flag specified: --{name}")
            if (kind != BOOL and not equals) or (kind == BOOL and equals and not value):
                raise Invalid(f"missing a value on flag: --{name}")
            if kind == BOOL and value.lower() not in ("", "true", "false"):
                raise Invalid(f"expecting boolean value for flag --{name}, not: {value}")
            self._values.setdefault(name, []).append(value)

    def given(self, name: str) -> bool:
        """Whether the flag was there at all."""
        return name in self._values

    def text(self, name: str) -> str:
        """Its value, empty if it was not there."""
        return self._values.get(name, [""])[0]

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a flag that may be repeated."""
        return tuple(self._values.get(name, []))

    def truth(self, name: str) -> bool:
        """A boolean flag: there, and not ``=false``."""
        return name in self._values and self._values[name][0].lower() != "false"
