"""``.dockerignore``: which paths of a context are left out. No IO.

Patterns follow moby's patternmatcher: ``*`` ``?`` ``[…]`` within one component, ``**`` over any number of them, ``!``
takes a path in again, the last pattern that matches decides, and a pattern that matches a folder matches all in it.
"""

import posixpath
import re

from agent.engine.errors import Invalid


def read_patterns(text: bytes) -> list[str]:
    """The patterns of a file: comments and blank lines gone, cleaned, rooted at the context.

    Raises:
        Invalid: a line that is a single ``!``.
    """
    patterns = []
    for number, line in enumerate(text.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").splitlines()):
        if line.startswith("#"):
            continue
        pattern = line.strip()
        negative = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if negative and not pattern:
            raise Invalid(f'.dockerignore line {number + 1}: illegal exclusion pattern: "!"')
        if not pattern:
            continue
        cleaned = posixpath.normpath(pattern)
        cleaned = cleaned.lstrip("/") or "."
        patterns.append(("!" if negative else "") + cleaned)
    return patterns


class Ignore:
    """Patterns compiled once, asked of many paths."""

    def __init__(self, patterns: list[str]) -> None:
        """Raises Invalid for a pattern whose brackets do not close."""
        self._rules = [
            (not pattern.startswith("!"), compile_pattern(pattern.removeprefix("!"))) for pattern in patterns
        ]
        self.has_exceptions = any(not exclude for exclude, _ in self._rules)

    def __contains__(self, path: str) -> bool:
        """Whether a path (relative, clean, ``/`` between) is left out."""
        parts = path.split("/")
        places = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        left_out = False
        for exclude, pattern in self._rules:
            # A rule that would change nothing need not be asked.
            if exclude != left_out and any(pattern.fullmatch(place) for place in places):
                left_out = exclude
        return left_out


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """One pattern as a regular expression over a whole path."""
    out, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 2
            if pattern.startswith("/", at):
                at += 1
                out += "(?:.*/)?"
            else:
                out += ".*"
            continue
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[":
            end = pattern.find("]", at + 2)
            if end < 0:
                raise Invalid(f"syntax error in pattern: {pattern}")
            out += _bracket(pattern[at + 1 : end])
            at = end
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            out += re.escape(pattern[at])
        else:
            out += re.escape(char)
        at += 1
    return re.compile(out, re.DOTALL)


def _bracket(inner: str) -> str:
    """A bracket's characters and ranges; a range that runs backwards matches nothing."""
    negated = inner[:1] in ("^", "!")
    inner = inner[1:] if negated else inner
    body = ""
    for one, last in re.findall(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", inner, re.DOTALL):
        first, end = one[-1], (last or one)[-1]
        if first <= end:
            body += re.escape(first) if first == end else f"{re.escape(first)}-{re.escape(end)}"
    if not body:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{body}]"
