"""`Idempotency-Key`: twice the same request, once the effect, also at the same moment."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from controlplane.hosts.models import Host
from controlplane.orders.models import Order
from tests.controlplane import cast


@pytest.mark.django_db
def test_it_works(api: cast.Api, host: Host) -> None:
    path = f"containers/{cast.running(host).pk}/restart/"
    first = api("POST", path, {"timeout": 3}, Idempotency_Key="k1")
    again = api("POST", path, {"timeout": 3}, Idempotency_Key="k1")
    assert again.data == first.data
    assert (again["Idempotent-Replayed"], again["Location"]) == ("true", first["Location"])
    assert api("POST", path, {"timeout": 4}, Idempotency_Key="k1").status_code == 422
    assert Order.objects.count() == 1


@pytest.mark.django_db
def test_a_refused_request_keeps_no_answer(api: cast.Api) -> None:
    body = {"host": "web-1", "image": "nginx"}
    assert api("POST", "containers/", body, Idempotency_Key="k").status_code == 404
    cast.online_host("web-1")
    assert api("POST", "containers/", body, Idempotency_Key="k").status_code == 202


@pytest.mark.django_db
def test_keys_of_two_actors_are_strangers(api: cast.Api, host: Host) -> None:
    path = f"containers/{cast.running(host).pk}/restart/"
    other = cast.Api(cast.person("bob", "owner"))
    api("POST", path, {}, Idempotency_Key="k")
    assert not other("POST", path, {}, Idempotency_Key="k").has_header("Idempotent-Replayed")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_twenty_at_once_make_one_order() -> None:
    api = cast.Api(cast.person("ada", "owner"))
    path = f"containers/{cast.running(cast.online_host()).pk}/restart/"

    def press(_: int) -> int:
        try:
            # a database that is busy asks to come again
            while (status := int(api("POST", path, {}, Idempotency_Key="one").status_code)) == 503:
                pass
            return status
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(press, range(20)))
    assert set(found) <= {202, 409}
    assert found.count(202) >= 1
    assert Order.objects.count() == 1
