"""The trail: one row an action, refused ones too; nobody edits it unseen; no secret is in it."""

import json

import pytest
from django.core.management import CommandError, call_command

from controlplane.accounts.models import User
from controlplane.audit.models import Entry
from controlplane.audit.services import verify
from controlplane.hosts.models import Host
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


def test_one_row_with_the_order_and_its_end(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    order = api("POST", f"containers/{container.pk}/stop/", {"timeout": 3}).data
    cast.ends(order["id"])
    row = api("GET", "audit/?action=container.stop").data["results"][0]
    assert (row["result"], row["target"]["name"], row["host"]["name"]) == ("accepted", "db", "web-1")
    assert row["order"] == {"id": order["id"], "state": "done"}
    assert row["actor"]["name"].startswith("ada (")
    assert Entry.objects.count() == 1


def test_refused_actions_too(api: cast.Api, viewer: User, host: Host) -> None:
    container = cast.running(host)
    cast.Api(viewer)("POST", f"containers/{container.pk}/stop/")
    api("POST", "containers/", {"host": "web-1", "image": "no such image!"})
    api("POST", "containers/", {"host": "web-1", "image": "nginx", "oops": 1})
    api.client.post("/api/containers/", {"host": "web-1", "image": "nginx"}, headers=api.headers)
    found = list(Entry.objects.order_by("seq").values_list("action", "result", "code"))
    assert found == [
        ("container.stop", "refused", "missing_right"),
        ("container.create", "refused", "invalid"),
        ("container.create", "refused", "invalid"),
        ("container.create", "refused", "unsupported_media_type"),
    ]


def test_reading_leaves_no_row(api: cast.Api, host: Host) -> None:
    api("GET", "containers/")
    api("GET", f"hosts/{host.pk}/")
    assert not Entry.objects.exists()


@pytest.mark.parametrize("change", ["edit", "delete", "cut", "swap"])
def test_a_change_breaks_the_chain(api: cast.Api, host: Host, change: str) -> None:
    container = cast.running(host)
    for _ in range(4):
        api("POST", f"containers/{container.pk}/restart/")
    assert verify() is None
    if change == "edit":
        Entry.objects.filter(seq=2).update(actor_name="mallory")
    elif change == "delete":
        Entry.objects.filter(seq=2).delete()
    elif change == "cut":
        Entry.objects.filter(seq=4).delete()
    else:
        Entry.objects.filter(seq=2).update(seq=9)
        Entry.objects.filter(seq=3).update(seq=2)
        Entry.objects.filter(seq=9).update(seq=3)
    assert verify() is not None


def test_no_secret_anywhere(
    api: cast.Api, host: Host, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = "canary-9f2c-hunter2"
    credential = {"username": "u", "password": canary}
    pulled = api("POST", "images/pull/", {"hosts": ["web-1"], "reference": "r.example/x:1", "credential": credential})
    assert pulled.status_code == 202
    bad = api("POST", "images/pull/", {"hosts": ["web-1"], "reference": "!", "credential": credential})
    made = api("POST", "enrolments/", {"name": "new-1"}).data
    token = made["join_string"].rsplit("#", 1)[1]
    new = api("POST", "tokens/", {"name": "t"}).data["token"]
    capsys.readouterr()
    call_command("dumpdata", "--all")
    dump = capsys.readouterr().out
    everywhere = "\n".join([dump, caplog.text, json.dumps(pulled.data), json.dumps(bad.data)])
    for secret in (canary, token, new, api.token):
        assert secret not in everywhere
    from controlplane.orders.grants import grants_for
    from controlplane.orders.models import Order, OrderSecret

    order = Order.objects.get(op="image.pull")
    assert grants_for(order)["registry_auth"]["password"] == canary
    cast.ends(str(order.pk))
    assert not OrderSecret.objects.exists()


def test_logs_hide_secrets_by_name_and_by_shape() -> None:
    from controlplane.settings.logs import redact

    token = "ls_" + "a" * 49
    join = f"https://h.example:8443#{'a' * 64}#{'b' * 43}"
    line = {
        "event": f"got {token}",
        "password": "x",
        "nested": {"Authorization": "y"},
        "note": f"Bearer {token} {join}",
    }
    text = json.dumps(redact(line))
    assert token not in text
    assert "b" * 43 not in text
    assert '"x"' not in text
    assert '"y"' not in text


def test_the_command(api: cast.Api, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    api("POST", f"hosts/{host.pk}/refresh/")
    call_command("verify_audit")
    assert "whole: 1 rows" in capsys.readouterr().out
    Entry.objects.update(action="nothing")
    with pytest.raises(CommandError):
        call_command("verify_audit")
