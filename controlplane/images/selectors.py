"""Which images an actor may see, and on which hosts."""

import uuid
from collections.abc import Sequence

from django.db.models import Prefetch, QuerySet

from controlplane.common.access import Access
from controlplane.common.errors import NotFound, invalid_field
from controlplane.common.rights import IMAGES_VIEW
from controlplane.hosts.models import Host, HostState
from controlplane.hosts.selectors import host_for, on_visible_hosts
from controlplane.images.models import Image, ImageOnHost


def copies_visible(access: Access) -> QuerySet[ImageOnHost]:
    """Copies on hosts that the actor may see."""
    rows = ImageOnHost.objects.select_related("host").exclude(host__state=HostState.REVOKED)
    return on_visible_hosts(rows, access, IMAGES_VIEW).order_by("host__name")


def images_visible(access: Access) -> QuerySet[Image]:
    """Images of which the actor may see a copy; those copies are in `visible_copies`."""
    copies = copies_visible(access)
    # A subquery and no join: an image on three hosts is one row.
    return Image.objects.filter(pk__in=copies.order_by().values("image_id")).prefetch_related(
        Prefetch("copies", queryset=copies, to_attr="visible_copies")
    )


def image_get(access: Access, image_id: uuid.UUID) -> Image:
    """One image.

    Raises:
        NotFound: none, or not for this actor.
    """
    image = images_visible(access).filter(pk=image_id).first()
    if image is None:
        raise NotFound("No such image, or you have no access to a host that has it")
    return image


def hosts_of(access: Access, image: Image, asked: Sequence[str], right: str) -> list[Host]:
    """The hosts that a verb on an image means: those that were named, else the only one that has it.

    Raises:
        Invalid: several have it and none was named.
        NotFound, Denied: a named host.
    """
    having = {copy.host_id: copy.host for copy in image.visible_copies}  # type: ignore[attr-defined]
    if not asked:
        if len(having) != 1:
            names = ", ".join(host.name for host in having.values())
            raise invalid_field("/hosts", "required", f"Several hosts have this image: name some of {names}")
        asked = [str(next(iter(having)))]
    hosts = [host_for(access, reference, right) for reference in dict.fromkeys(asked)]
    for host in hosts:
        if host.pk not in having:
            raise NotFound(f"{host.name} does not have this image", code="no_such_image")
    return hosts
