"""Arguments of an instruction: words with their quotes, lists in JSON, names with values."""

import json
import re

from agent.engine.errors import Invalid


def split_words(text: str, escape: str) -> list[str]:
    """Words at blanks outside of quotes; quotes and escapes stay, for the expansion to take away."""
    words: list[str] = []
    word, quote, started = "", "", False
    at = 0
    while at < len(text):
        char = text[at]
        if not quote and char.isspace():
            if started:
                words.append(word)
            word, started = "", False
        elif char == escape and quote != "'":
            word += text[at : at + 2] if at + 1 < len(text) else ""
            started = started or at + 1 < len(text)
            at += 1
        else:
            if quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            word, started = word + char, True
        at += 1
    return [*words, word] if started else words


def blank_separated(text: str) -> list[str]:
    """Words at blanks; quotes mean nothing here."""
    return re.split(r"[\t\v\f\r ]+", text) if text else []


def json_list(text: str) -> list[str] | None:
    """A list in JSON, or None for text that is none.

    Raises:
        Invalid: a list, but not of strings alone.
    """
    if not text.lstrip().startswith("["):
        return None
    try:
        values = json.loads(text)
    except ValueError:
        return None
    if not isinstance(values, list):
        return None
    if not all(isinstance(value, str) for value in values):
        raise Invalid("when using JSON array syntax, arrays must be comprised of strings only")
    return values


def pairs(text: str, keyword: str, escape: str) -> list[tuple[str, str]]:
    """``a=b c=d``, or the old form ``a b c`` where the rest of the line is one value.

    Raises:
        Invalid: nothing there, a word without ``=``, or a blank name.
    """
    words = split_words(text, escape)
    if not words:
        raise Invalid(f"{keyword} requires at least one argument")
    if "=" not in words[0]:
        name, *rest = re.split(r"[\t\v\f\r ]+", text, maxsplit=1)
        if not rest:
            raise Invalid(f"{keyword} must have two arguments")
        return [(name, rest[0])]
    found = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Invalid(f"Syntax error - can't find = in {json.dumps(word)}. Must be of the form: name=value")
        if not name:
            raise Invalid(f"{keyword} names can not be blank")
        found.append((name, value))
    return found
