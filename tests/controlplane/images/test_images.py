"""Images: one row over all hosts, one order a host, contexts and credentials that leave nothing behind."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from controlplane.accounts.models import User
from controlplane.hosts.models import Host
from controlplane.images.models import Image
from controlplane.images.services import images_gone, images_observed, images_swept
from controlplane.orders.models import Order
from tests.controlplane import cast

pytestmark = pytest.mark.django_db
DIGEST = "sha256:" + "a" * 64


def seen(host: Host, *references: str, digest: str = DIGEST) -> Image:
    item = {
        "engine_id": digest, "references": list(references), "digests": [], "size": 5, "labels": {},
        "created_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    images_observed(host=host, items=[item])
    return Image.objects.get(digest=digest)


def test_one_row_over_all_hosts(api: cast.Api, host: Host) -> None:
    other = cast.online_host("web-2")
    seen(host, "hello:1")
    image = seen(other, "hello:2")
    cast.running(host, image_id=DIGEST)
    row = api("GET", "images/").data["results"][0]
    assert [one["name"] for one in row["hosts"]] == ["web-1", "web-2"]
    assert (row["references"], row["containers"], row["name"]) == (["hello:1", "hello:2"], 1, "hello:1")
    assert api("GET", f"images/{image.pk}/used-by/").data["results"][0]["name"] == "db"
    images_gone(host=host, engine_ids=[DIGEST])
    assert api("GET", f"images/{image.pk}/").data["references"] == ["hello:2"]
    from django.utils import timezone

    images_swept(host=other, since=timezone.now())
    assert api("GET", "images/").data["count"] == 0


def test_filters(api: cast.Api, host: Host) -> None:
    seen(host, "hello:1", "other:1")
    seen(host, digest="sha256:" + "b" * 64)

    def count(query: str) -> int:
        return int(api("GET", f"images/?{query}").data["count"])

    assert count("") == count("unused=true") == count("host=web-1") == 2
    assert count("dangling=true") == count("search=hello") == count("reference=other:1") == count("search=bbbb") == 1
    assert count("host=web-2") == count("unused=false") == 0


def test_pull_one_order_a_host(api: cast.Api, host: Host) -> None:
    cast.online_host("web-2")
    one = api("POST", "images/pull/", {"hosts": ["web-1"], "reference": "nginx:alpine"})
    assert (one.status_code, one.data["op"], one.data["target"]["type"]) == (202, "image.pull", "image")
    both = api("POST", "images/pull/", {"hosts": ["web-1", "web-2"], "reference": "nginx:alpine"}).data
    assert [order["host"]["name"] for order in both["orders"]] == ["web-1", "web-2"]
    assert {order["batch"] for order in both["orders"]} == {both["batch"]}
    assert api("POST", "images/pull/", {"hosts": ["web-1"], "reference": "No Good"}).status_code == 400


def test_verbs_want_a_host_where_several_have_it(api: cast.Api, host: Host) -> None:
    image = seen(host, "hello:1")
    tagged = api("POST", f"images/{image.pk}/tag/", {"reference": "hello:stable"})
    assert Order.objects.get(pk=tagged.data["id"]).args == {"image": DIGEST, "reference": "hello:stable"}
    other = cast.online_host("web-2")
    seen(other, "hello:1")
    refused = api("POST", f"images/{image.pk}/push/", {"reference": "r.example/hello:1"})
    assert (refused.status_code, refused.data["errors"][0]["pointer"]) == (400, "/hosts")
    assert api("POST", f"images/{image.pk}/push/", {"reference": "hello:1", "hosts": ["web-2"]}).status_code == 202
    removed = api("DELETE", f"images/{image.pk}/?hosts=web-1&hosts=web-2&force=true").data
    assert len(removed["orders"]) == 2
    cast.online_host("web-3")
    assert api("DELETE", f"images/{image.pk}/?hosts=web-3").data["code"] == "no_such_image"


def test_build_from_text(api: cast.Api, host: Host, settings: Any) -> None:
    body = {"hosts": ["web-1"], "dockerfile_text": "FROM busybox\n", "tags": ["hello:1"], "build_args": {"A": "b"}}
    order = api("POST", "images/build/", body).data
    args = Order.objects.get(pk=order["id"]).args
    context = Path(settings.LONGSHORE_DATA) / "contexts" / args["context"]
    assert hashlib.sha256(context.read_bytes()).hexdigest() == args["context"]
    with tarfile.open(context) as archive:
        assert archive.extractfile("Dockerfile").read() == b"FROM busybox\n"  # type: ignore[union-attr]
    assert args["query"] == {"buildargs": {"A": "b"}}
    again = api("POST", "images/build/", body).data
    assert Order.objects.get(pk=again["id"]).args["context"] == args["context"]


def test_build_from_an_archive(api: cast.Api, host: Host, settings: Any) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("Dockerfile"))
    form = {"hosts": ["web-1"], "tags": ["hello:2"], "dockerfile": "Dockerfile"}
    parts = {"form": json.dumps(form), "context": SimpleUploadedFile("c.tar", buffer.getvalue())}
    answer = api.client.post("/api/images/build/", parts, headers=api.headers)
    assert answer.status_code == 202
    again = [
        {"form": json.dumps(form), "context": SimpleUploadedFile("c.tar", data)} for data in (b"a", b"a", b"other")
    ]
    headers = {**api.headers, "Idempotency-Key": "k"}
    assert [api.client.post("/api/images/build/", one, headers=headers).status_code for one in again] == [202, 202, 422]
    context = Order.objects.order_by("seq")[0].args["context"]
    assert context == hashlib.sha256(buffer.getvalue()).hexdigest()
    assert (Path(settings.LONGSHORE_DATA) / "contexts" / context).exists()


def test_a_build_in_anothers_network_needs_privileged(owner: User, host: Host) -> None:
    api = cast.Api(owner, scopes=["images.build", "images.view", "hosts.view"])
    body = {"hosts": ["web-1"], "dockerfile_text": "FROM busybox\n"}
    for network in ("host", "container:db"):
        answer = api("POST", "images/build/", {**body, "network": network})
        assert (answer.status_code, answer.data["params"]["right"]) == (403, "containers.privileged")
    assert not Order.objects.exists()
    assert api("POST", "images/build/", {**body, "network": "none"}).status_code == 202


def test_a_browser_may_send_an_archive(host: Host) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.person("ann", "owner"))
    client.cookies["csrftoken"] = "a" * 32

    def send(headers: dict[str, str]) -> int:
        form = json.dumps({"hosts": ["web-1"], "tags": ["hello:3"]})
        parts = {"form": form, "context": SimpleUploadedFile("c.tar", b"a")}
        return client.post("/api/images/build/", parts, headers=headers).status_code

    # The look for a CSRF token must leave the body to its parser, and must still be a look.
    assert send({"X-CSRFToken": "a" * 32}) == 202
    assert send({}) == 403


@pytest.mark.parametrize(
    "change", [{"tags": ["Bad Tag"]}, {"dockerfile_text": None}, {"oops": 1}, {"hosts": []}, {"tags": "x"}]
)
def test_bad_builds(api: cast.Api, host: Host, change: dict[str, Any]) -> None:
    body = {"hosts": ["web-1"], "dockerfile_text": "FROM scratch", "tags": ["a:b"], **change}
    assert api("POST", "images/build/", {k: v for k, v in body.items() if v is not None}).status_code == 400
    assert not Order.objects.exists()


def test_prune_tells_before_it_goes(api: cast.Api, host: Host) -> None:
    seen(host, "hello:1")
    seen(host, digest="sha256:" + "b" * 64)
    told = api("POST", "images/prune/", {"hosts": ["web-1"], "dry_run": True})
    assert (told.status_code, told.data["reclaimable"]["images"]) == (200, {"count": 1, "bytes": 5})
    assert api("POST", "images/prune/", {"hosts": ["web-1"], "all": True}).status_code == 202
    assert Order.objects.get().args == {"filters": {"dangling": ["false"]}}
