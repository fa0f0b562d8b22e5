"""Sign-in: session and CSRF, tokens, and never both; no faster than the throttle allows."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connections
from django.test import Client

from controlplane.accounts import throttle
from controlplane.accounts.models import SignInCount, User
from controlplane.audit.models import Entry
from tests.controlplane import cast

LOGIN = "/api/auth/browser/v1/auth/login"


def sign_in(client: Client, name: str, password: str, **more: Any) -> Any:
    body = json.dumps({"username": name, "password": password})
    return client.post(LOGIN, body, content_type="application/json", **more)


@pytest.mark.django_db
def test_it_works(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/api/auth/browser/v1/config")
    csrf = {"headers": {"X-CSRFToken": client.cookies["csrftoken"].value}}
    assert sign_in(client, "ada", cast.PASSWORD, **csrf).status_code == 200
    assert client.get("/api/me/").json()["username"] == "ada"
    csrf = {"headers": {"X-CSRFToken": client.cookies["csrftoken"].value}}
    body = {"preferences": {"theme": "dark"}}
    changed = client.patch("/api/me/", json.dumps(body), content_type="application/json", **csrf)
    assert changed.json()["preferences"] == {"theme": "dark"}
    assert client.delete("/api/auth/browser/v1/auth/session", **csrf).status_code == 401
    assert client.get("/api/me/").status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", "wrong"), ("nobody", cast.PASSWORD)])
def test_wrong_words_look_the_same(owner: User, name: str, password: str) -> None:
    answer = sign_in(Client(), name, password)
    assert answer.status_code == 400
    assert [error["code"] for error in answer.json()["errors"]] == ["username_password_mismatch"]


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "x" * 32])
def test_csrf_on_every_unsafe_method(owner: User, token: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner, "allauth.account.auth_backends.AuthenticationBackend")
    headers = {"X-CSRFToken": token} if token else {}
    for method, path in (("POST", "tokens/"), ("PATCH", "me/"), ("DELETE", f"tokens/{owner.pk}/")):
        for media in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
            answer = client.generic(method, f"/api/{path}", "{}", content_type=media, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    override = client.post("/api/me/", "{}", content_type="application/json", headers={"X-HTTP-Method-Override": "GET"})
    assert override.status_code in {403, 405}


@pytest.mark.django_db
def test_never_a_token_and_a_session_together(owner: User, api: cast.Api) -> None:
    api.client.force_login(owner, "allauth.account.auth_backends.AuthenticationBackend")
    assert api("GET", "me/").data["code"] == "two_credentials"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["signup", "password/request", "code/request"])
def test_what_is_not_there(path: str) -> None:
    assert Client().post(f"/api/auth/browser/v1/auth/{path}").status_code == 404


@pytest.mark.django_db
def test_five_failures_then_rest(owner: User) -> None:
    client = Client()
    for n in range(5):
        forged = {"headers": {"X-Forwarded-For": f"10.0.0.{n}"}}
        assert sign_in(client, "ada", "wrong", **forged).status_code == 400
    refused = sign_in(client, "ADA ", cast.PASSWORD, headers={"X-Forwarded-For": "10.9.9.9"})
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 900
    assert sign_in(client, "ada", cast.PASSWORD, REMOTE_ADDR="198.51.100.7").status_code == 200
    assert Entry.objects.filter(action="session.create", result="refused").count() == 5


@pytest.mark.django_db
def test_unknown_names_are_throttled_alike() -> None:
    for _ in range(5):
        sign_in(Client(), "nobody", "wrong")
    assert sign_in(Client(), "nobody", "wrong").status_code == 429


@pytest.mark.django_db
def test_one_network_of_ipv6_is_one_counter() -> None:
    assert throttle.key_of("a", "2001:db8::1") == throttle.key_of("A", "2001:db8::ffff:2")
    assert throttle.key_of("a", "2001:db8:0:1::1") != throttle.key_of("a", "2001:db8::1")
    assert throttle.key_of("a", "::ffff:10.0.0.1") != throttle.key_of("a", "::ffff:10.0.0.2")


@pytest.mark.django_db
def test_the_right_password_gives_its_try_back(owner: User) -> None:
    for _ in range(4):
        sign_in(Client(), "ada", "wrong")
    assert sign_in(Client(), "ada", cast.PASSWORD).status_code == 200
    assert not SignInCount.objects.exists()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_hundred_at_once_get_five_looks() -> None:
    cast.person("ada", "owner")

    def attempt(_: int) -> int:
        try:
            return int(sign_in(Client(), "ada", "wrong").status_code)
        finally:
            connections.close_all()

    with (
        patch("allauth.account.auth_backends.AuthenticationBackend._check_password", return_value=None) as looks,
        ThreadPoolExecutor(16) as pool,
    ):
        found = list(pool.map(attempt, range(200)))
    assert found.count(400) == 5
    assert found.count(429) == 195
    assert looks.call_count == 5


@pytest.mark.django_db
def test_signing_out_and_revoking_are_told_to_every_process(
    owner: User, django_capture_on_commit_callbacks: Any
) -> None:
    client = Client()
    sign_in(client, "ada", cast.PASSWORD)
    session = hashlib.sha256(client.session.session_key.encode()).hexdigest()
    with patch("controlplane.common.bus.publish") as told:
        with django_capture_on_commit_callbacks(execute=True):
            client.delete("/api/auth/browser/v1/auth/session")
        told.assert_called_once_with("signed_out", session=session)
        api = cast.Api(owner)
        token = api("GET", "tokens/").data["results"][0]["id"]
        with django_capture_on_commit_callbacks(execute=True):
            api("DELETE", f"tokens/{token}/")
        told.assert_called_with("rights.changed", user_id=str(owner.pk))
