"""A credential ends with its order, so a retry brings it again; without it nobody is sent to a registry in vain."""

import pytest

from controlplane.hosts.models import Host
from controlplane.orders.grants import grants_for
from controlplane.orders.models import Order, OrderSecret
from tests.controlplane import cast

pytestmark = pytest.mark.django_db
CREDENTIAL = {"username": "ann", "password": "canary-7"}


@pytest.fixture
def failed(api: cast.Api, host: Host) -> str:
    """A pull with a credential, which has failed."""
    body = {"hosts": [str(host.pk)], "reference": "reg.example:5000/app:1", "credential": CREDENTIAL}
    order = str(api("POST", "images/pull/", body).data["id"])
    assert api("GET", f"orders/{order}/").data["with_credential"] is True
    cast.ends(order, "failed", problem={"code": "engine_error", "status": 500, "detail": "timeout"})
    assert not OrderSecret.objects.exists()
    return order


def test_retry_asks_for_it(api: cast.Api, failed: str) -> None:
    answer = api("POST", f"orders/{failed}/retry/")
    assert answer.status_code == 400
    assert answer.data["errors"][0]["pointer"] == "/credential"
    assert answer.data["errors"][0]["code"] == "credential_needed"
    assert Order.objects.count() == 1


def test_retry_carries_it(api: cast.Api, failed: str) -> None:
    answer = api("POST", f"orders/{failed}/retry/", {"credential": CREDENTIAL})
    assert answer.status_code == 202
    assert "canary" not in str(answer.data)
    again = Order.objects.get(pk=answer.data["id"])
    assert again.with_credential
    assert grants_for(again)["registry_auth"] == {**CREDENTIAL, "serveraddress": "reg.example:5000"}


def test_what_takes_none_is_given_none(api: cast.Api, host: Host) -> None:
    container = cast.running(host)
    order = api("POST", f"containers/{container.pk}/stop/").data["id"]
    cast.ends(order, "failed", problem={"code": "x", "status": 500, "detail": "broke"})
    answer = api("POST", f"orders/{order}/retry/", {"credential": CREDENTIAL})
    assert answer.status_code == 400
    assert answer.data["errors"][0]["code"] == "credential_unused"
