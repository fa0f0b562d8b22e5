"""The lines of a Dockerfile as statements: directives, comments, continuations, here-documents.

After the Dockerfile reference and BuildKit's reading of it. Text in, values out: no IO.
"""

import dataclasses
import re

from agent.engine.errors import Invalid

DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
DIRECTIVES = frozenset({"syntax", "escape", "check"})
HEREDOC_KEYWORDS = frozenset({"add", "copy", "run"})
HEREDOC_WORD = re.compile(r"^(\d*)<<(-?)[\t\r ]*([^<]+)$")
MAX_BYTES = 4 << 20


class DockerfileError(Invalid):
    """What is wrong, with the file and the line that it is wrong in."""

    def __init__(self, name: str, line: int, problem: str) -> None:
        super().__init__(f"dockerfile parse error on line {line} of {name}: {problem}")
        self.line = line
        self.problem = problem


@dataclasses.dataclass(frozen=True)
class Heredoc:
    """One here-document: its text with leading tabs gone if ``<<-`` asked for it."""

    name: str
    content: str
    expand: bool
    chomp: bool = False


@dataclasses.dataclass(frozen=True)
class Statement:
    """One instruction, continued lines joined; ``code`` is what progress output repeats."""

    keyword: str
    flags: tuple[str, ...]
    rest: str
    code: str
    line: int
    heredocs: tuple[Heredoc, ...] = ()


@dataclasses.dataclass(frozen=True)
class Source:
    """A whole file in statements; warnings are sentences for the user."""

    statements: tuple[Statement, ...]
    escape: str
    warnings: tuple[str, ...]


def read(source: bytes, name: str = "Dockerfile") -> Source:
    """Cut a Dockerfile into statements.

    Raises:
        DockerfileError: a directive is repeated or wrong, or a here-document has no end.
        Invalid: nothing in it is an instruction, or it is larger than 4 MiB.
    """
    if len(source) > MAX_BYTES:
        raise Invalid(f"{name} is larger than {MAX_BYTES} bytes")
    text = source.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    return _Reader(text, name).read()


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self._lines = text.split("\n")
        if self._lines[-1] == "":
            self._lines.pop()
        self._name = name
        self._at = 0
        self._escape = "\\"
        self._warnings: list[str] = []

    def read(self) -> Source:
        self._directives()
        statements = []
        while self._at < len(self._lines):
            line = self._at + 1
            text = self._logical_line()
            if text.strip():
                statements.append(self._statement(text, line))
        if not statements:
            raise Invalid(f"failed to parse {self._name}: file with no instructions")
        return Source(tuple(statements), self._escape, tuple(self._warnings))

    def _directives(self) -> None:
        """Read ``# name=value`` lines at the very top; the first line that is none ends them, and stays."""
        seen: set[str] = set()
        for number, line in enumerate(self._lines, 1):
            found = DIRECTIVE.match(line.strip())
            key = found.group(1).lower() if found else ""
            if not found or key not in DIRECTIVES:
                return
            if key in seen:
                raise DockerfileError(self._name, number, f"only one {key} parser directive can be used")
            seen.add(key)
            if key == "escape":
                self._escape = found.group(2)
                if self._escape not in ("\\", "`"):
                    problem = f"invalid escape token '{self._escape}' does not match ` or \\"
                    raise DockerfileError(self._name, number, problem)
            self._at = number

    def _logical_line(self) -> str:
        """The next line with its continuations, comment lines and empty lines within them passed over."""
        text, more = self._continued(self._take().lstrip())
        if text.startswith("#"):
            return ""
        empty = False
        while more and self._at < len(self._lines):
            line = self._take()
            if line.lstrip().startswith("#"):
                continue
            if not line.strip():
                empty = True
                continue
            piece, more = self._continued(line)
            text += piece
        if empty:
            self._warnings.append(f"[WARNING]: Empty continuation line found in: {text}")
            self._warnings.append("[WARNING]: Empty continuation lines will become errors in a future release.")
        return text

    def _take(self) -> str:
        self._at += 1
        return self._lines[self._at - 1].rstrip("\r")

    def _continued(self, line: str) -> tuple[str, bool]:
        """The line without a trailing escape that no other escape precedes, and whether it had one."""
        bare = line.rstrip(" \t")
        if line.startswith("#") or not bare.endswith(self._escape) or bare.endswith(self._escape * 2):
            return line, False
        return bare[:-1], True

    def _statement(self, text: str, line: int) -> Statement:
        statement = split_statement(text, self._escape, line)
        inner = statement
        if statement.keyword.lower() == "onbuild":
            inner = split_statement(statement.rest, self._escape, line)
        if inner.keyword.lower() not in HEREDOC_KEYWORDS or inner.rest.startswith("["):
            return statement
        heredocs = tuple(self._heredoc(word, line) for word in heredoc_words(text))
        return dataclasses.replace(statement, heredocs=heredocs)

    def _heredoc(self, word: str, line: int) -> Heredoc:
        name, expand, chomp = heredoc_name(word)
        content = ""
        while self._at < len(self._lines):
            self._at += 1
            raw = self._lines[self._at - 1]
            bare = raw.rstrip("\r")
            if (bare.lstrip("\t") if chomp else bare) == name:
                return Heredoc(name, re.sub(r"(?m)^\t+", "", content) if chomp else content, expand, chomp)
            content += raw + "\n"
        raise DockerfileError(self._name, line, "unterminated heredoc")


def split_statement(text: str, escape: str, line: int) -> Statement:
    """Keyword, ``--flags`` and the rest of one logical line."""
    keyword, _, rest = re.sub(r"[\t\v\f\r ]+", " ", text.strip(), count=1).partition(" ")
    flags, rest = _flags(rest, escape)
    return Statement(keyword, flags, rest.strip(), text.strip(), line)


def _flags(line: str, escape: str) -> tuple[tuple[str, ...], str]:
    """The words that begin with ``--``, unquoted, up to the first that does not, or to ``--`` itself."""
    flags: list[str] = []
    rest = line.lstrip()
    while rest.startswith("--"):
        word, at, quote = "", 0, ""
        while at < len(rest) and (quote or not rest[at].isspace()):
            char = rest[at]
            if char == escape and at + 1 < len(rest):
                at += 1
                word += rest[at]
            elif quote:
                quote, word = ("", word) if char == quote else (quote, word + char)
            elif char in "'\"":
                quote = char
            else:
                word += char
            at += 1
        rest = rest[at:].lstrip()
        if word == "--":
            break
        flags.append(word)
    return tuple(flags), rest


def heredoc_words(line: str) -> list[str]:
    """The words of a line that open a here-document, quotes kept."""
    words = re.findall(r"""(?:<<-?[\t ]+(?=[^\s<]))?(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\]|["'\\])+""", line)
    return [word for word in words if HEREDOC_WORD.match(word)]


def heredoc_name(word: str) -> tuple[str, bool, bool]:
    """Delimiter, whether the text is expanded (it is not, if any of the delimiter is quoted), whether tabs go."""
    found = HEREDOC_WORD.match(word)
    assert found is not None
    name = re.sub(r"\\(.)", r"\1", re.sub(r"[\"']", "", found.group(3)))
    return name, not re.search(r"[\"']", found.group(3)), bool(found.group(2))
