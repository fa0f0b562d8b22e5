"""API tokens: shown once, stored as a hash, never more than their owner."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from controlplane.accounts import tokens
from controlplane.accounts.models import ApiToken, Grant, User
from controlplane.hosts.models import Host
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


def test_it_works(api: cast.Api) -> None:
    made = api("POST", "tokens/", {"name": "ci", "scopes": ["containers.view"]})
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    assert tokens.well_formed(made.data["token"])
    stored = ApiToken.objects.get(name="ci")
    assert made.data["token"] not in str(vars(stored))
    assert "token" not in api("GET", f"tokens/{stored.pk}/").data
    mine = cast.Api(None)
    mine.headers["Authorization"] = f"Bearer {made.data['token']}"
    assert mine("GET", "me/").data["rights"] == ["containers.view"]
    assert mine("GET", "hosts/").status_code == 403
    assert mine("GET", "me/").has_header("RateLimit")
    assert api("DELETE", f"tokens/{stored.pk}/").status_code == 204
    assert mine("GET", "me/").status_code == 401


def test_a_token_cannot_give_away_more_than_it_has(owner: User, host: Host) -> None:
    narrow = cast.Api(owner, scopes=["containers.view", "containers.logs"])
    assert narrow("POST", "tokens/", {"name": "a", "scopes": ["containers.exec"]}).status_code == 403
    assert narrow("POST", "tokens/", {"name": "b"}).data["scopes"] == ["containers.logs", "containers.view"]
    bound = cast.Api(owner, hosts=[host.pk])
    assert bound("POST", "tokens/", {"name": "c"}).status_code == 403


def test_a_token_makes_none_that_is_good_elsewhere_or_for_longer(owner: User) -> None:
    ends = timezone.now() + timedelta(days=2)
    api = cast.Api(owner)
    ApiToken.objects.update(addresses=["127.0.0.0/8"], expires_at=ends)
    made = api("POST", "tokens/", {"name": "a"})
    assert made.status_code == 201
    stored = ApiToken.objects.get(name="a")
    assert (stored.addresses, stored.expires_at) == (["127.0.0.0/8"], ends)
    for n, address in enumerate(("0.0.0.0/0", "192.0.2.1", "::/0")):
        assert api("POST", "tokens/", {"name": f"b{n}", "addresses": [address]}).data["code"] == "token_address"
    sooner = timezone.now() + timedelta(days=1)
    body = {"name": "c", "addresses": ["127.0.0.1"], "expires_at": sooner.isoformat()}
    assert api("POST", "tokens/", body).status_code == 201
    stored = ApiToken.objects.get(name="c")
    assert (stored.addresses, stored.expires_at) == (["127.0.0.1"], sooner)


def test_rights_shrink_with_the_owner(owner: User, host: Host) -> None:
    api = cast.Api(owner, scopes=["hosts.manage", "hosts.view"])
    assert api("POST", f"hosts/{host.pk}/refresh/").status_code == 202
    Grant.objects.filter(user=owner).delete()
    assert api("POST", f"hosts/{host.pk}/refresh/").status_code == 403


def test_a_token_of_one_host(owner: User, host: Host) -> None:
    other = cast.online_host("web-2")
    api = cast.Api(owner, hosts=[host.pk])
    assert [row["name"] for row in api("GET", "hosts/").data["results"]] == ["web-1"]
    assert api("GET", f"hosts/{other.pk}/").status_code == 404


def test_expiry_and_addresses(owner: User) -> None:
    api = cast.Api(owner, addresses=["198.51.100.0/24"])
    assert api("GET", "me/").data["code"] == "token_address"
    ApiToken.objects.update(addresses=[])
    assert api("GET", "me/").status_code == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api("GET", "me/").data["code"] == "token_expired"


@pytest.mark.parametrize("text", ["", "ls_", "ls_" + "a" * 49, "Bearer", "ls_" + "é" * 49])
def test_what_is_no_token_asks_no_database(text: str, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    api = cast.Api(None)
    api.headers["Authorization"] = f"Bearer {text}".encode().decode("latin-1")
    with django_assert_num_queries(0):
        assert api("GET", "hosts/").status_code == 401


def test_the_command_prints_it_once(owner: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_token", "ada", name="script", scope=["images.pull"], days=3)
    text = capsys.readouterr().out.strip()
    assert tokens.well_formed(text)
    assert ApiToken.objects.get(digest=tokens.digest(text)).scopes == ["images.pull"]


def test_create_admin_once(db: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LONGSHORE_ADMIN_PASSWORD", raising=False)
    call_command("create_admin")
    password = capsys.readouterr().out.strip()
    assert User.objects.get(username="admin").check_password(password)
    call_command("create_admin")
    assert capsys.readouterr().out == ""


def test_six_hundred_a_minute(api: cast.Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlplane.common.ratelimit.time.time", lambda: 1_000_000_000)
    from django.core.cache import cache

    token = ApiToken.objects.get()
    cache.set(f"rate:{token.pk}:{1_000_000_000 // 60}", 600)
    answer = api("GET", "me/")
    assert (answer.status_code, answer["Retry-After"]) == (429, "20")
