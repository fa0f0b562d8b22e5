"""A page of many rows costs few queries, whatever is on it."""

import time
from typing import Any

import pytest
from django.utils import timezone

from controlplane.containers.models import Container
from controlplane.hosts.models import Host, Use
from controlplane.images.models import Image, ImageOnHost
from tests.controlplane import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet(host: Host) -> None:
    """Twenty thousand containers, a thousand images."""
    now = timezone.now()
    Container.objects.bulk_create(
        (
            Container(host=host, name=f"c{n}", state="running", engine_id=f"{n:064d}", inspect={"a": "b" * 500})
            for n in range(20_000)
        ),
        batch_size=2000,
    )
    images = Image.objects.bulk_create(Image(digest=f"sha256:{n:064d}", name=f"i{n}") for n in range(1000))
    ImageOnHost.objects.bulk_create(ImageOnHost(image=image, host=host, observed_at=now) for image in images)
    Use.objects.bulk_create(
        Use(host=host, kind="image", key=image.digest, container_id=image.pk, container_name="c", engine_id="e")
        for image in images
    )


def test_at_most_twelve_queries(api: cast.Api, fleet: None, django_assert_max_num_queries: Any) -> None:
    api("GET", "me/")
    for path in ("containers/?page_size=500", "images/?page_size=500", "hosts/", "orders/", "containers/?search=c1"):
        with django_assert_max_num_queries(12):
            began = time.process_time()
            answer = api("GET", path)
            took = time.process_time() - began
        assert answer.status_code == 200
        # The budget is 150 ms; five times that is wrong on any machine, since it is this process's own time.
        assert took < 0.75, f"{path}: {took:.2f} s"
