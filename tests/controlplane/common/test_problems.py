"""Refusals: one form for all of them, with what to do; and what happens when the database is away."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from tests.controlplane import cast

pytestmark = pytest.mark.django_db
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "params", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "hosts/?oops=1", None, 400, "invalid"),
        ("PUT", "hosts/", {}, 405, "method_not_allowed"),
        ("GET", "hosts/0199d0c2-0000-7000-8000-000000000001/", None, 404, "not_found"),
        ("POST", "tokens/", {"name": ""}, 400, "invalid"),
        ("GET", "nowhere/", None, 404, "not_found"),
        ("POST", "orders/0199d0c2-0000-7000-8000-000000000001/cancel/", {"a": 1}, 400, "unexpected_body"),
    ],
)
def test_one_form(api: cast.Api, method: str, path: str, body: Any, status: int, code: str) -> None:
    answer = api(method, path, body)
    assert (answer.status_code, answer.data["status"], answer.data["code"]) == (status, status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert set(answer.data) >= MEMBERS
    assert answer.data["instance"] == answer["X-Request-ID"]


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[]", b'"x"', b'{"name": NaN}', b'{"name": "a", "name": "b"}', b"\xff", b'{"name": "a\\u0000"}',
     b'{"name": "a\\ud800"}', b'{"a\\udfff": 1}', b'{"a\\u0000": 1}', b'{"name": 1e999}',
     b'{"a":' * 100 + b"1" + b"}" * 100, b'{"a":' * 100_000],
)  # fmt: skip
def test_malformed_json(api: cast.Api, raw: bytes) -> None:
    answer = api.client.post("/api/tokens/", raw, content_type="application/json", headers=api.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_other_media_types(api: cast.Api) -> None:
    answer = api.client.post("/api/tokens/", "name=x", content_type="text/plain", headers=api.headers)
    assert answer.status_code == 415


def test_too_large(api: cast.Api) -> None:
    raw = b'{"name": "' + b"x" * (3 << 20) + b'"}'
    answer = api.client.post("/api/tokens/", raw, content_type="application/json", headers=api.headers)
    assert answer.status_code in {400, 413}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_database_it_is_503(api: cast.Api, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked: /secret/path")

    monkeypatch.setattr("controlplane.accounts.models.ApiToken.objects.select_related", broken)
    answer = api(method, "tokens/", {"name": "x"} if method == "POST" else None)
    assert (answer.status_code, answer["Retry-After"], answer.data["code"]) == (503, "5", "database")
    assert b"secret" not in answer.content


def test_a_bug_tells_no_more_than_its_number(api: cast.Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("internal detail")

    monkeypatch.setattr("controlplane.fleet.views.host_get", broken)
    answer = api("GET", "hosts/0199d0c2-0000-7000-8000-000000000001/")
    assert (answer.status_code, answer.data["code"]) == (500, "server_error")
    assert b"internal detail" not in answer.content


def test_head_is_get_without_a_body(api: cast.Api) -> None:
    answer = api("HEAD", "hosts/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert Client().head("/api/health/").status_code == 200
