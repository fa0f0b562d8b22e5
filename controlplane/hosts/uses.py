"""Who uses what, for pages about images, volumes and networks."""

import uuid
from collections import defaultdict
from collections.abc import Iterable

from controlplane.common.access import Access
from controlplane.common.rights import CONTAINERS_VIEW
from controlplane.hosts.models import Use
from controlplane.hosts.selectors import on_visible_hosts


def uses_of(access: Access, kind: str, keys: Iterable[str]) -> dict[tuple[uuid.UUID, str], list[Use]]:
    """(host, key) -> the containers there that use it, as far as the actor may see containers."""
    found: dict[tuple[uuid.UUID, str], list[Use]] = defaultdict(list)
    rows = Use.objects.filter(kind=kind, key__in=list(keys)).order_by("container_name")
    for use in on_visible_hosts(rows, access, CONTAINERS_VIEW):
        found[use.host_id, use.key].append(use)
    return found
