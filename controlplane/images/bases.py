"""Which images a Dockerfile begins from, so that a host gets a token for those in our own registry. Pure: no IO.

A reading of FROM and `--from=` only, with the arguments that stand before the first FROM; what is wrong with the rest
the engine says. Source: Dockerfile reference, "FROM", "ARG" ("Understand how ARG and FROM interact").
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

_ESCAPE: Final = re.compile(r"\A(?:#[^\n]*\n)*?#\s*escape\s*=\s*`\s*$", re.IGNORECASE | re.MULTILINE)
_FROM: Final = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_ARG: Final = re.compile(r"(\w+)(?:=(\S*))?")
_OTHER: Final = re.compile(r"(?:--from=|[,=]from=)([^\s,]+)")
_LONGEST: Final = 512  # of a reference; values made of values must not grow without end
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^{}]*))?\})")


def bases_of(dockerfile: str, given: Mapping[str, str]) -> list[str]:
    """References of images that are no stage of the file, each once, as they come.

    Args:
        given: the build's arguments.
    """
    values: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    found: dict[str, None] = {}
    begun = False
    for line in _lines(dockerfile):
        if match := _FROM.match(line):
            begun = True
            reference = _expanded(match[1].strip("\"'"), values)
            if reference.lower() not in stages:
                found[reference] = None
            stages.add((match[2] or "").lower())
        elif line[:4].upper() == "ARG ":
            for name, default in () if begun else _ARG.findall(line[4:]):
                values[name] = given.get(name, _expanded(default.strip("\"'"), values))
        else:
            named = (_expanded(other.strip("\"'"), values) for other in _OTHER.findall(line))
            found.update(dict.fromkeys(name for name in named if name.lower() not in stages and not name.isdigit()))
    return list(found)


def _lines(text: str) -> Iterator[str]:
    """Instructions, each on one line."""
    escape = "`" if _ESCAPE.match(text) else "\\"
    whole = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or (whole and not line.strip()):
            continue
        stripped = line.rstrip()
        if stripped.endswith(escape):
            whole += stripped[:-1] + " "
            continue
        yield (whole + line).strip()
        whole = ""
    yield whole.strip()


def _expanded(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        known = values.get(match[1] or match[2], "")
        if match[3] and "-" in match[3]:
            return known or match[4]
        if match[3]:
            return match[4] if known else ""
        return known

    return _VARIABLE.sub(value, text[:_LONGEST])[:_LONGEST]
