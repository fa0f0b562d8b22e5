"""Pages: nothing twice, nothing missing, also among equal keys and in both directions."""

import pytest

from controlplane.containers.models import Container
from controlplane.hosts.models import Host
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(host: Host) -> int:
    """2,500 rows of which all sort the same."""
    Container.objects.bulk_create(
        Container(host=host, name="same", state="running", engine_id=f"{n:064d}") for n in range(2500)
    )
    return 2500


def walked(api: cast.Api, path: str, key: str = "next") -> list[str]:
    found: list[str] = []
    while path:
        page = api("GET", path.removeprefix("/api/")).data
        found += [row["id"] for row in page["results"]]
        path = page[key] or ""
    return found


@pytest.mark.parametrize("order", ["name", "-name", "attention,name", "-created_at,name"])
def test_equal_keys(api: cast.Api, many: int, order: str) -> None:
    ids = walked(api, f"containers/?order={order}&page_size=500")
    assert len(ids) == len(set(ids)) == many


def test_back_again(api: cast.Api, many: int) -> None:
    first = api("GET", "containers/?page_size=500").data
    second = api("GET", first["next"].removeprefix("/api/")).data
    assert api("GET", second["previous"].removeprefix("/api/")).data["results"] == first["results"]
    assert first["count"] == many
    assert first["previous"] is None


@pytest.mark.parametrize(
    "query", ["pagesize=3", "page_size=501", "order=secret", "cursor=xyz", "name=a&order=name&order=name", "host="]
)
def test_bad_parameters(api: cast.Api, query: str) -> None:
    assert api("GET", f"containers/?{query}").status_code == 400


def test_a_cursor_of_another_order(api: cast.Api, many: int) -> None:
    first = api("GET", "containers/?order=name").data["next"]
    assert api("GET", first.removeprefix("/api/").replace("order=name", "order=-name")).status_code == 400


def test_filters(api: cast.Api, host: Host) -> None:
    other = cast.online_host("web-2")
    one = cast.running(host, name="db", labels={"a.b__c": "1", "com.docker.compose.project": "shop"})
    two = cast.running(other, name="web", state="exited", exit_code=1, networks={})

    def ids(query: str) -> set[str]:
        return {row["id"] for row in api("GET", f"containers/?{query}").data["results"]}

    both = {str(one.pk), str(two.pk)}
    assert ids("host=web-1") == ids(f"host={host.pk}") == {str(one.pk)}
    assert ids("host=web-1&host=web-2") == ids("name=db&name=web") == both
    assert ids("state=exited&state=dead") == {str(two.pk)}
    assert ids("label=a.b__c") == ids("label=a.b__c=1") == ids("stack=shop") == {str(one.pk)}
    assert ids("label=a.b__c=2") == set()
    assert ids("network=bridge") == ids("search=DB") == {str(one.pk)}
    assert ids(f"id={one.pk}&id={two.pk}") == both
    assert ids("search=postgres") == both
    assert ids("search=b__") == ids("search=a.b__c%3D1") == {str(one.pk)}
    far = cast.running(host, name="far")
    port = {"container_port": 80, "protocol": "tcp", "host_ip": "0.0.0.0", "host_port": 8099}
    Container.objects.filter(pk=far.pk).update(addresses=["10.5.0.9"], ports=[port])
    assert [row["name"] for row in api("GET", "containers/?search=10.5").data["results"]] == ["far"]
    assert [row["name"] for row in api("GET", "containers/?search=8099").data["results"]] == ["far"]
    assert [row["id"] for row in api("GET", "containers/").data["results"]][:2] == [str(two.pk), str(one.pk)]
