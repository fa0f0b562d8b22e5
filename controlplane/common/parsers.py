"""JSON bodies, read without leniency."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

DEEPEST = 64
_NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")


class StrictJSONParser(BaseParser):
    """An object, each name once, no NaN, no deep nesting: two readers of one body must not see two requests."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Read the whole body.

        Raises:
            ParseError: it is not such an object.
        """
        try:
            value = json.loads(
                stream.read().decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite
            )
        except RecursionError:
            raise ParseError(f"The body is nested deeper than {DEEPEST}") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise ParseError("The body must be a JSON object")
        _check(value, DEEPEST)
        return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return fields


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is larger than any number")
    return value


def _check(value: Any, left: int) -> None:
    if not left:
        raise ParseError(f"The body is nested deeper than {DEEPEST}")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, left)
            _check(item, left - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, left - 1)
    elif isinstance(value, str) and _NO_TEXT.search(value):
        raise ParseError("Text must not contain NUL or half characters")
