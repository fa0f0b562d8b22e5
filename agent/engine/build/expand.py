"""Variables and quotes in the words of a Dockerfile.

The forms are those of the Dockerfile reference: ``$x`` ``${x}`` ``${x:-y}`` ``${x-y}`` ``${x:+y}`` ``${x+y}``
``${x:?y}`` ``${x?y}`` ``${x#p}`` ``${x##p}`` ``${x%p}`` ``${x%%p}`` ``${x/p/r}`` ``${x//p/r}``.
Values in, values out: no IO.
"""

import re
from collections.abc import Mapping

from agent.engine.errors import Invalid

SPECIAL_PARAMETERS = "@*#?-$!0"
MODIFIERS = "+-?#%"


def expand_word(word: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """One word out of one word: variables replaced, quotes and escapes taken away.

    Raises:
        Invalid: a quote or brace is not closed, a modifier is unknown, or ``${x?}`` finds nothing.
    """
    return _Expansion(word, variables, escape).run()[0]


def expand_words(word: str, variables: Mapping[str, str], escape: str = "\\") -> list[str]:
    """As many words as the expansion holds: a variable's value is split at its blanks, quoted text is not."""
    return _Expansion(word, variables, escape).run()[1]


def expand_text(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Here-document text: variables replaced, ``\\$`` unescaped, quotes left as they are."""
    return _Expansion(text, variables, escape, quotes=False).run()[0]


class _Words:
    """Collects characters into words; raw ones never end a word."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._word = ""

    def add(self, text: str, *, raw: bool) -> None:
        if raw:
            self._word += text
            return
        for char in text:
            if not char.isspace():
                self._word += char
            elif self._word:
                self.words.append(self._word)
                self._word = ""

    def done(self) -> list[str]:
        return [*self.words, self._word] if self._word else self.words


class _Expansion:
    def __init__(self, text: str, variables: Mapping[str, str], escape: str, *, quotes: bool = True) -> None:
        self._text, self._variables, self._escape, self._quotes = text, variables, escape, quotes
        self._at = 0

    def run(self) -> tuple[str, list[str]]:
        try:
            return self._until("", raw_escapes=False)
        except Invalid as problem:
            raise Invalid(f'failed to process "{self._text}": {problem}') from None

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _until(self, stop: str, *, raw_escapes: bool) -> tuple[str, list[str]]:
        """Everything up to ``stop`` (the end if empty), as one string and as words."""
        result, words = "", _Words()
        while char := self._peek():
            if stop and char == stop:
                self._at += 1
                return result, words.done()
            if char == "$":
                value = self._dollar()
                words.add(value, raw=False)
            elif char == "'" and self._quotes:
                value = self._single_quoted()
                words.add(value, raw=True)
            elif char == '"' and self._quotes:
                value = self._double_quoted(raw_escapes=raw_escapes)
                words.add(value, raw=True)
            elif self._next() == self._escape:
                value = self._escaped(raw_escapes=raw_escapes)
                words.add(value, raw=True)
            else:
                value = char
                words.add(value, raw=False)
            result += value
        if stop:
            raise Invalid("syntax error: missing '}'" if stop == "}" else f"syntax error: missing '{stop}' in ${{}}")
        return result, words.done()

    def _escaped(self, *, raw_escapes: bool) -> str:
        char = self._next()
        # In the text of a here-document only what the builder itself would read can be escaped.
        if not self._quotes and char not in ("$", self._escape):
            return self._escape + char
        return (self._escape if raw_escapes else "") + char

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise Invalid("unexpected end of statement while looking for matching single-quote")
        inner = self._text[self._at + 1 : end]
        self._at = end + 1
        return inner

    def _double_quoted(self, *, raw_escapes: bool) -> str:
        self._at += 1
        result = ""
        while char := self._peek():
            if char == '"':
                self._at += 1
                return result
            if char == "$":
                result += self._dollar()
                continue
            self._at += 1
            if char == self._escape:
                following = self._peek()
                if not following:
                    continue
                if following in ('"', "$", self._escape):
                    self._at += 1
                    result += (char if raw_escapes else "") + following
                    continue
            result += char
        raise Invalid("unexpected end of statement while looking for matching double-quote")

    def _name(self) -> str:
        found = re.compile(r"[0-9]+|\w+").match(self._text, self._at)
        if found:
            self._at = found.end()
            return found.group()
        if (char := self._peek()) and char in SPECIAL_PARAMETERS:
            self._at += 1
            return char
        return ""

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            return self._variables.get(name, "") if name else "$"
        self._at += 1
        if self._peek() in ("{", "}", ":"):
            raise Invalid("syntax error: bad substitution" if self._peek() else "syntax error: missing '}'")
        name = self._name()
        modifier = self._next()
        value = self._variables.get(name)
        if modifier == "}":
            return value or ""
        if modifier == "/":
            return self._replaced(value or "")
        colon = modifier == ":"
        if colon:
            modifier = self._next()
        if not modifier:
            raise Invalid("syntax error: missing '}'")
        if modifier not in MODIFIERS or (colon and modifier in "#%"):
            shown = ":" * colon + modifier
            raise Invalid(f"unsupported modifier ({shown}) in substitution")
        word, _ = self._until("}", raw_escapes=modifier in "#%")
        if modifier in "#%":
            return _trimmed(modifier, word, value or "")
        return _by_presence(modifier, name, word, value, empty_counts=not colon)

    def _replaced(self, value: str) -> str:
        every = self._peek() == "/"
        if every:
            self._at += 1
        pattern, _ = self._until("/", raw_escapes=True)
        replacement, _ = self._until("}", raw_escapes=True)
        return _glob(pattern, greedy=True).sub(lambda _: replacement, value, count=0 if every else 1)


def _by_presence(modifier: str, name: str, word: str, value: str | None, *, empty_counts: bool) -> str:
    """``-`` ``+`` and ``?``; with a colon before them an empty value is as good as none."""
    present = value is not None and (empty_counts or value != "")
    if modifier == "-":
        return value or "" if present else word
    if modifier == "+":
        return word if present else ""
    if not present:
        state = "unset" if value is None else "empty"
        raise Invalid(f"{name}: {word or f'is not allowed to be {state}'}")
    return value or ""


def _trimmed(side: str, word: str, value: str) -> str:
    """The value without the shortest (or, with a doubled mark, longest) match at its start or end."""
    greedy = word.startswith(side)
    pattern = _glob(word.removeprefix(side), greedy=greedy)
    if side == "#":
        found = pattern.match(value)
        return value[found.end() :] if found else value
    starts = range(len(value) + 1) if greedy else range(len(value), -1, -1)
    cut = next((at for at in starts if pattern.fullmatch(value, at)), len(value))
    return value[:cut]


def _glob(pattern: str, *, greedy: bool) -> re.Pattern[str]:
    """A shell pattern (``*`` and ``?``, no brackets) as a regular expression."""
    out, characters = "", iter(pattern)
    for char in characters:
        if char == "*":
            out += ".*" if greedy else ".*?"
        elif char == "?":
            out += "."
        elif char == "\\":
            following = next(characters, "")
            if following not in ("*", "?", "\\", "}", "/"):
                raise Invalid(f"invalid pattern ({pattern}) in substitution: invalid escape '\\{following}'")
            out += re.escape(following)
        else:
            out += re.escape(char)
    return re.compile(out, re.DOTALL)
