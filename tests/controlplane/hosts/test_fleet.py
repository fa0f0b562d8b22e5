"""Hosts by REST: a place, a name, an end."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from controlplane.hosts.models import Enrolment, Event, Host, HostState
from controlplane.orders.models import Order
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


def test_a_join_string_is_shown_once(api: cast.Api) -> None:
    made = api("POST", "enrolments/", {"name": "web-9", "labels": {"rack": "b"}})
    assert made.status_code == 201
    url, key, token = made.data["join_string"].split("#")
    assert (url, len(key), len(token)) == ("http://127.0.0.1:8470", 64, 43)
    assert made.data["join_string"] in made.data["command"]
    again = api("GET", f"enrolments/{made.data['id']}/").data
    assert "join_string" not in again
    assert (again["state"], again["host"]["state"]) == ("waiting", "pending")
    assert token not in str(list(Enrolment.objects.values()))
    assert api("POST", "enrolments/", {"name": "web-9"}).status_code == 409


def test_a_place_that_nobody_took_is_free_again(api: cast.Api) -> None:
    made = api("POST", "enrolments/", {"name": "web-9"}).data
    Enrolment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api("GET", f"enrolments/{made['id']}/").data["state"] == "expired"
    assert api("POST", "enrolments/", {"name": "web-9"}).status_code == 201
    assert Host.objects.count() == 1


def test_delete_before_it_was_spent(api: cast.Api) -> None:
    made = api("POST", "enrolments/", {"name": "web-9"}).data
    Enrolment.objects.update(spent_at=timezone.now())
    assert api("DELETE", f"enrolments/{made['id']}/").status_code == 409
    Enrolment.objects.update(spent_at=None)
    assert api("DELETE", f"enrolments/{made['id']}/").status_code == 204
    assert not Host.objects.exists()


def test_name_and_labels(api: cast.Api, host: Host) -> None:
    etag = api("GET", f"hosts/{host.pk}/")["ETag"]
    changed = api("PATCH", f"hosts/{host.pk}/", {"name": "web-7", "labels": {"a": "b"}}, If_Match=etag)
    assert (changed.status_code, changed.data["name"]) == (200, "web-7")
    assert api("PATCH", f"hosts/{host.pk}/", {"name": "x"}, If_Match=etag).status_code == 412
    assert api("PATCH", f"hosts/{host.pk}/", {"name": "Not A Name"}).status_code == 400
    assert api("PATCH", f"hosts/{host.pk}/", {"labels": {"longshore.x": "y"}}).status_code == 400
    cast.online_host("web-8")
    assert api("PATCH", f"hosts/{host.pk}/", {"name": "web-8"}).status_code == 409
    assert api("GET", "hosts/?label=a=b").data["count"] == 1


def test_revoke_ends_its_orders_and_frees_its_name(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    order = api("POST", f"containers/{container.pk}/stop/").data
    revoked = api("POST", f"hosts/{host.pk}/revoke/", {"reason": "sold"})
    assert (revoked.data["state"], Host.objects.get().public_key) == ("revoked", "")
    ended = api("GET", f"orders/{order['id']}/").data
    assert (ended["state"], ended["problem"]["code"]) == ("failed", "host_revoked")
    assert api("GET", "hosts/").data["count"] == api("GET", "containers/").data["count"] == 0
    assert api("GET", "hosts/?state=revoked").data["count"] == 1
    assert api("POST", f"hosts/{host.pk}/revoke/", {}).status_code == 409
    assert api("POST", f"hosts/{host.pk}/refresh/").status_code == 409
    assert api("POST", "enrolments/", {"name": "web-1"}).status_code == 201


def test_prune_and_refresh(api: cast.Api, host: Host) -> None:
    assert api("POST", f"hosts/{host.pk}/prune/", {"kinds": ["images"], "until": "24h"}).status_code == 202
    assert Order.objects.get().args == {"kinds": ["images"], "filters": {"until": ["24h"]}}
    assert api("POST", f"hosts/{host.pk}/prune/", {"kinds": ["volumes"]}).status_code == 400
    keys = [api("POST", f"hosts/{host.pk}/prune/", {"kinds": ["images"]}, Idempotency_Key="k").data["id"] for _ in "ab"]
    assert keys[0] == keys[1]
    away = api("POST", f"hosts/{host.pk}/prune/", {"kinds": ["images"], "dry_run": True})
    assert (away.status_code, away.data["code"]) == (503, "host_offline")
    assert api("POST", f"hosts/{host.pk}/refresh/").status_code == 202


def test_the_worst_host_comes_first(api: cast.Api, host: Host) -> None:
    cast.online_host("zz")
    Host.objects.filter(name="zz").update(state=HostState.OFFLINE)
    assert [row["name"] for row in api("GET", "hosts/").data["results"]] == ["zz", "web-1"]


@pytest.mark.parametrize("words", ["far", "10.5", "eu", "zone=eu"])
def test_search(api: cast.Api, host: Host, words: str) -> None:
    Host.objects.create(name="far-1", address="10.5.0.1", labels={"zone": "eu"})
    assert [row["name"] for row in api("GET", f"hosts/?search={words}").data["results"]] == ["far-1"]


def test_events(api: cast.Api, host: Host) -> None:
    now = timezone.now()
    for n, action in enumerate(("start", "die")):
        Event.objects.create(host=host, at=now + timedelta(seconds=n), at_nano=n, kind="container", action=action)
    found = api("GET", "events/?kind=container").data
    assert [row["action"] for row in found["results"]] == ["die", "start"]
    cut = (now + timedelta(seconds=1)).isoformat().replace("+", "%2B")
    assert api("GET", f"events/?from={cut}").data["count"] == 1
    assert api("GET", "events/?action=start").data["count"] == 1


def test_the_command_prints_a_join_string(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_enrolment", "web-9")
    assert capsys.readouterr().out.strip().count("#") == 2
