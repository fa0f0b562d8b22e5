"""Reading a request as dockerd's ``httputils`` does: flags, integers, filters, a JSON body, registry credentials.

Faults are worded as Go's libraries word them. Docker 20.10 (API 1.41) called most of them 500; later ones 400.
"""

import base64
import binascii
import json
import re
from collections.abc import Set
from typing import Any, NoReturn

from aiohttp import web

from agent.engine import shapes
from agent.engine.api import versions
from agent.engine.api.times import nanoseconds
from agent.engine.errors import Invalid, System

Filters = dict[str, list[str]]

_DECODER = json.JSONDecoder(parse_constant=shapes.refuse, parse_float=shapes.finite)

_EXPECTED = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    "Expecting ',' delimiter": "after object key:value pair",
    "Extra data": "after top-level value",
    "Invalid control character at": "in string literal",
}


def _lenient(request: web.Request) -> bool:
    return bool(request["version"] <= versions.LAST_LENIENT)


def _refuse(request: web.Request, message: str, *, since: str | None = None) -> NoReturn:
    """Refuse what cannot be read: ``message`` with 500 up to API 1.41, ``since`` (or the same) with 400 after."""
    if _lenient(request):
        raise System(message)
    raise Invalid(since if since is not None else message)


def flag(request: web.Request, name: str, default: bool = False) -> bool:
    """A boolean of the query; anything but the words for no is yes."""
    value = request.query.get(name)
    if value is None:
        return default
    return value.strip().lower() not in ("", "0", "no", "false", "none")


def integer(
    request: web.Request, name: str, default: int = 0, *, parser: str = "ParseInt", strict: bool = False
) -> int:
    """An integer of the query.

    Args:
        request: the request.
        name: of the parameter.
        default: where it is not given.
        parser: the Go function that the message names.
        strict: it has to be there, and what is none is 400 in every API version.
    """
    value = request.query.get(name, "")
    if value == "" and not strict:
        return default
    if re.fullmatch(r"[+-]?\d{1,19}", value) is None:
        if strict:
            raise Invalid(f"strconv.{parser}: parsing {json.dumps(value)}: invalid syntax")
        _refuse(request, f"strconv.{parser}: parsing {json.dumps(value)}: invalid syntax")
    return int(value)


def moment(request: web.Request, name: str) -> int:
    """A time of the query in nanoseconds since the epoch; 0 for none."""
    try:
        return nanoseconds(request.query.get(name, ""), name)
    except Invalid as error:
        _refuse(request, str(error).partition('": ')[2], since=str(error))


def decode_filters(request: web.Request, text: str) -> Filters:
    """Filters in today's form ``{"label": ["a=b"]}`` or the old ``{"label": {"a=b": true}}``."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        _refuse(request, go_syntax_error(error), since="invalid filter")
    found: Filters = {}
    for key, given in (value or {}).items() if isinstance(value, dict) or value is None else [("", None)]:
        if isinstance(given, dict) and all(isinstance(set_, bool) for set_ in given.values()):
            found[key] = [item for item, set_ in given.items() if set_]
        elif isinstance(given, list) and all(isinstance(item, str) for item in given):
            found[key] = list(given)
        else:
            _refuse(request, "json: cannot unmarshal filters: want an object of lists", since="invalid filter")
    return found


def filters(request: web.Request, *, allowed: Set[str], name: str = "filters") -> Filters:
    """The query's filters.

    Raises:
        Invalid: a key that the route does not know; never read as "everything".
    """
    text = request.query.get(name, "")
    found = decode_filters(request, text) if text else {}
    for key in sorted(found):
        if key not in allowed:
            raise Invalid(f"{'Invalid' if _lenient(request) else 'invalid'} filter '{key}'")
    return found


async def json_body(
    request: web.Request, shape: shapes.Shape = None, *, optional: bool = False, strict: bool = False
) -> dict[str, Any]:
    """The body as a JSON object.

    Args:
        request: the request.
        shape: the types of its fields, where somebody else does not look at them.
        optional: an empty body is an empty object.
        strict: a body that cannot be read is 400 in every API version, as for networks.
    """
    try:
        body = await _json_body(request, optional=optional)
        if shape is not None and (words := shapes.wrong(body, shape)):
            _refuse(request, words, since=f"invalid JSON: {words}")
    except System as error:
        if strict:
            raise Invalid(str(error)) from error
        raise
    return body


async def _json_body(request: web.Request, *, optional: bool) -> dict[str, Any]:
    raw = await request.read()
    kind = request.headers.get("Content-Type", "")
    if not raw and (optional or not kind):
        if optional:
            return {}
        _refuse(request, "EOF", since="invalid JSON: got EOF while reading request body")
    if kind.split(";")[0].strip().lower() != "application/json":
        old = f"Content-Type specified ({kind}) must be 'application/json'"
        new = f"unsupported Content-Type header ({kind}): must be 'application/json'"
        raise Invalid(old if _lenient(request) else new)
    if not raw.strip():
        _refuse(request, "EOF", since="invalid JSON: got EOF while reading request body")
    try:
        text = raw.decode()
        value, end = _DECODER.raw_decode(text, len(text) - len(text.lstrip()))
        if shapes.halves(text):
            value = shapes.whole(value)
    except json.JSONDecodeError as error:
        _refuse(request, go_syntax_error(error), since=f"invalid JSON: {go_syntax_error(error)}")
    except (UnicodeDecodeError, RecursionError):
        _refuse(request, "invalid JSON: not UTF-8, or nested too deeply")
    except ValueError as error:
        _refuse(request, str(error), since=f"invalid JSON: {error}")
    if text[end:].strip() and not _lenient(request):
        raise Invalid("unexpected content after JSON")
    if value is None:
        return {}
    if not isinstance(value, dict):
        _refuse(request, f"json: cannot unmarshal {shapes.kind(value)} into Go value of type object")
    return value


def registry_auth(request: web.Request, header: str = "X-Registry-Auth") -> dict[str, Any]:
    """Credentials that the client sends along; empty where there are none, or none that can be read."""
    value = request.headers.get(header, "")
    if not value:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def go_syntax_error(error: json.JSONDecodeError) -> str:
    """A syntax error in the words of Go's encoding/json."""
    rest = error.doc[error.pos :].lstrip()
    if error.msg.startswith("Unterminated string") or not rest:
        return "unexpected end of JSON input" if error.doc.strip() == "" else "unexpected EOF"
    where = next((words for start, words in _EXPECTED.items() if error.msg.startswith(start)), "in string escape code")
    return f"invalid character {_quoted(rest[0])} {where}"


def _quoted(character: str) -> str:
    return {"'": r"'\''", '"': "'\"'"}.get(character, f"'{character}'" if character.isprintable() else repr(character))
