"""Flags, integers, filters, JSON bodies and credentials as dockerd reads them."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request

from agent.engine.api import params
from agent.engine.errors import Invalid, System


def _request(query: str = "", *, version: tuple[int, int] = (1, 47), headers: dict[str, str] | None = None) -> Any:
    request = make_mocked_request("GET", "/x?" + query, headers=headers or {})
    request["version"] = version
    return request


def _body(raw: bytes, kind: str | None = "application/json", version: tuple[int, int] = (1, 47)) -> Any:
    request = _request(version=version, headers={} if kind is None else {"Content-Type": kind})
    request._read_bytes = raw
    return request


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("True", True), ("x", True), ("0", False), ("No", False), ("", False), ("none", False)],
)
def test_flag(text: str, value: bool) -> None:
    assert params.flag(_request(f"a={text}"), "a") is value


def test_a_flag_that_is_absent_has_its_default() -> None:
    assert params.flag(_request(), "a", True) is True


def test_integer() -> None:
    assert params.integer(_request("n=12"), "n") == 12
    assert params.integer(_request("n="), "n", -1) == -1
    with pytest.raises(Invalid, match=r'strconv\.ParseInt: parsing "1x": invalid syntax'):
        params.integer(_request("n=1x"), "n")
    with pytest.raises(System):
        params.integer(_request("n=1x", version=(1, 41)), "n")


@pytest.mark.parametrize(
    "form", [{"label": ["a=b", "c"], "name": ["n"]}, {"label": {"a=b": True, "c": True}, "name": {"n": True}}]
)
def test_filters_in_both_forms(form: Any) -> None:
    request = _request("filters=" + quote(json.dumps(form)))
    assert params.filters(request, allowed={"label", "name"}) == {"label": ["a=b", "c"], "name": ["n"]}


@pytest.mark.parametrize("text", ["bad", "[1]", '{"label":3}', '{"label":[3]}', '"x"'])
def test_filters_that_cannot_be_read_are_refused_and_never_everything(text: str) -> None:
    with pytest.raises(Invalid):
        params.filters(_request("filters=" + quote(text)), allowed={"label"})
    with pytest.raises(System):
        params.filters(_request("filters=" + quote(text), version=(1, 41)), allowed={"label"})


def test_an_unknown_filter_is_refused() -> None:
    with pytest.raises(Invalid, match="invalid filter 'foo'"):
        params.filters(_request("filters=" + quote('{"foo":["a"]}')), allowed={"label"})
    with pytest.raises(Invalid, match="Invalid filter 'foo'"):
        params.filters(_request("filters=" + quote('{"foo":["a"]}'), version=(1, 41)), allowed={"label"})


async def test_json_body() -> None:
    assert await params.json_body(_body(b' {"a": 1}\n')) == {"a": 1}
    assert await params.json_body(_body(b'{"a": 1}', "application/json; charset=utf-8")) == {"a": 1}
    assert await params.json_body(_body(b"null")) == {}
    assert await params.json_body(_body(b"", None), optional=True) == {}
    assert await params.json_body(_body(b"{} {}", version=(1, 41))) == {}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"{", "unexpected EOF"),
        (b"", "EOF"),
        (b"bad", "invalid character 'b' looking for beginning of value"),
        (b"{bad", "invalid character 'b' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a": 1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1]", "json: cannot unmarshal array into Go value of type object"),
    ],
)
async def test_a_body_that_cannot_be_read(raw: bytes, words: str) -> None:
    with pytest.raises(System) as old:
        await params.json_body(_body(raw, version=(1, 41)))
    assert str(old.value) == words
    with pytest.raises(Invalid, match=r"EOF|JSON|json"):
        await params.json_body(_body(raw))


async def test_another_content_type() -> None:
    with pytest.raises(Invalid, match=r"Content-Type specified \(text/plain\) must be 'application/json'"):
        await params.json_body(_body(b"{}", "text/plain", (1, 41)))
    with pytest.raises(Invalid, match=r"unsupported Content-Type header \(text/plain\)"):
        await params.json_body(_body(b"{}", "text/plain"))


def test_registry_auth() -> None:
    value = base64.urlsafe_b64encode(json.dumps({"username": "ü?>"}).encode()).decode()
    assert params.registry_auth(_request(headers={"X-Registry-Auth": value.rstrip("=")})) == {"username": "ü?>"}
    assert params.registry_auth(_request()) == {}
    for unreadable in ("!", "bm8"):
        assert params.registry_auth(_request(headers={"X-Registry-Auth": unreadable})) == {}


def test_a_size_of_a_terminal_that_is_none() -> None:
    for version in ((1, 41), (1, 47)):
        with pytest.raises(Invalid, match=r'strconv\.Atoi: parsing "a": invalid syntax'):
            params.integer(_request("h=a", version=version), "h", parser="Atoi", strict=True)
