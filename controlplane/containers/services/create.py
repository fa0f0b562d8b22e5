"""Create a container: a record at once, the order in the same transaction."""

import re
import uuid
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from controlplane.common import hints
from controlplane.common.access import Access, denied
from controlplane.common.errors import Invalid, invalid_field
from controlplane.common.references import is_image, short_name
from controlplane.common.rights import CONTAINERS_PRIVILEGED
from controlplane.containers import spec as specs
from controlplane.containers.models import Container, ContainerState
from controlplane.hosts.models import Host
from controlplane.orders.models import Order
from controlplane.orders.services import order_create

NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")


def container_create(
    *,
    host: Host,
    image: str,
    spec: dict[str, Any],
    access: Access,
    name: str = "",
    pull: str = "missing",
    platform: str = "",
    start: bool = True,
    not_after: datetime | None = None,
) -> tuple[Container, Order]:
    """Write the record and order the container.

    Args:
        spec: the body of Docker's ContainerCreate, without Image.

    Raises:
        Invalid: image, name or spec, with every field that is wrong.
        Denied: the spec needs `containers.privileged`.
    """
    if not is_image(image):
        raise invalid_field("/image", "bad_reference", f"{image!r} is not an image reference", image=image)
    if name and not NAME.fullmatch(name):
        detail = "A name begins with a letter or digit and has only letters, digits, _ . and -"
        raise invalid_field("/name", "bad_name", detail)
    wrong = specs.problems(spec)
    if wrong:
        raise Invalid(wrong[0]["detail"], errors=wrong)
    if specs.privileged_reasons(spec) and not access.on(CONTAINERS_PRIVILEGED, host.pk):
        refusal = denied(CONTAINERS_PRIVILEGED, host.name)
        refusal.detail += f": {', '.join(specs.privileged_reasons(spec))}"
        raise refusal
    with transaction.atomic():
        container = Container(
            host=host,
            name=name or f"{short_name(image)}-{uuid.uuid4().hex[:8]}",
            image_reference=image,
            spec=spec,
            labels=spec.get("Labels") or {},
            desired_state=ContainerState.RUNNING if start else ContainerState.CREATED,
            attention=54,
        )
        container.save(force_insert=True)
        args: dict[str, Any] = {
            "id": str(container.pk),
            "name": container.name,
            "image": image,
            "spec": spec,
            "pull": pull,
            "start": start,
        }
        if platform:
            args["platform"] = platform
        order = order_create(
            host=host, op="container.create", args=args, target=container, actor=access.actor, not_after=not_after
        )
        hints.changed(kind="container", action="created", ids=[container.pk], host_id=host.pk, order_id=order.pk)
    return container, order
