"""Order images on hosts, and write what hosts report of theirs."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from controlplane.common import hints, readings
from controlplane.common.access import Actor
from controlplane.common.errors import Invalid, invalid_field
from controlplane.common.models import new_id
from controlplane.common.references import is_reference, is_taggable
from controlplane.hosts.models import Host
from controlplane.images import contexts
from controlplane.images.bases import bases_of
from controlplane.images.models import Image, ImageOnHost
from controlplane.orders import grants, outcomes, secrets
from controlplane.orders.models import Order, OrderState
from controlplane.orders.services import order_create
from controlplane.orders.states import OPEN


def image_order(
    *,
    op: str,
    hosts: Sequence[Host],
    args: Mapping[str, Any],
    actor: Actor,
    name: str,
    image: Image | None = None,
    credential: Mapping[str, str] | None = None,
    not_after: datetime | None = None,
) -> tuple[list[Order], uuid.UUID]:
    """One order a host.

    Args:
        name: what the order concerns, in words.
        credential: username and password of a registry; goes into no order.

    Raises:
        Invalid: a reference.
    """
    batch = new_id()
    orders = []
    with transaction.atomic():
        for host in hosts:
            order = order_create(
                host=host, op=op, args=args, actor=actor, target=image, target_type="image", target_name=name,
                not_after=not_after, batch=batch if len(hosts) > 1 else None,
            )  # fmt: skip
            if credential:
                secrets.keep(order, credential)
            orders.append(order)
    return orders, batch


def check_reference(reference: str, *, tag: bool = False) -> str:
    """The reference, if it is one.

    Raises:
        Invalid: it is not; with `tag`, also one with a digest.
    """
    if not (is_taggable(reference) if tag else is_reference(reference)):
        raise invalid_field("/reference", "bad_reference", f"{reference!r} is not an image reference")
    return reference


def build_args(body: Mapping[str, Any], context: str) -> dict[str, Any]:
    """A build's form as args: the query of Docker's ImageBuild, and which images of our own registry it needs.

    Raises:
        Invalid: a tag; more images of ours than one token opens.
    """
    for n, tag in enumerate(body["tags"]):
        if not is_taggable(tag):
            raise invalid_field(f"/tags/{n}", "bad_reference", f"{tag!r} is not a name for an image")
    query = {
        "dockerfile": body.get("dockerfile"), "target": body.get("target"), "buildargs": body.get("build_args"),
        "labels": body.get("labels"), "platform": body.get("platform"), "networkmode": body.get("network"),
        "nocache": body["no_cache"], "pull": body["pull"],
    }  # fmt: skip
    args = {
        "context": context,
        "tags": list(body["tags"]),
        "query": {name: value for name, value in query.items() if value not in (None, "", False, {})},
    }
    dockerfile = contexts.dockerfile_of(context, body.get("dockerfile") or "Dockerfile") if context else ""
    own = [name for name in bases_of(dockerfile, body.get("build_args") or {}) if grants.own_repository(name)]
    if len({grants.own_repository(name) for name in own}) > grants.MOST:
        detail = f"A build may need {grants.MOST} of this registry's repositories"
        raise invalid_field("/dockerfile_text", "too_many_bases", detail)
    return {**args, "bases": own} if own else args


def leaves_the_bridge(network: str) -> bool:
    """Whether a build's steps run in a network namespace that is not theirs: the host's, or another container's."""
    return network == "host" or network.startswith("container:")


def reclaimable(hosts: Sequence[Host], *, named_too: bool, used: Iterable[str]) -> dict[str, int]:
    """What a prune would free, from the records."""
    copies = ImageOnHost.objects.filter(host__in=hosts).exclude(image__digest__in=list(used))
    loose = [copy for copy in copies if named_too or not copy.references]
    return {"count": len(loose), "bytes": sum(copy.size for copy in loose)}


def images_observed(*, host: Host, items: Sequence[Mapping[str, Any]]) -> None:
    """Write some images that a host has, as they are now."""
    now = timezone.now()
    changed = []
    with transaction.atomic():
        for item in items:
            digest = readings.text(item.get("engine_id"), 80)
            if not digest:
                continue
            references = sorted(readings.text(name, 512) for name in readings.listing(item.get("references")))
            digests = sorted(readings.text(name, 512) for name in readings.listing(item.get("digests")))
            size = readings.number(item.get("size")) or 0
            image, _ = Image.objects.get_or_create(
                digest=digest,
                defaults={
                    "size": size,
                    "built_at": readings.moment(item.get("created_at")),
                    "labels": readings.texts(item.get("labels")),
                    "name": references[0] if references else "",
                },
            )
            values = {"references": references, "digests": digests, "size": size}
            copy, made = ImageOnHost.objects.get_or_create(
                image=image, host=host, defaults={**values, "observed_at": now}
            )
            if made or any(getattr(copy, name) != value for name, value in values.items()):
                ImageOnHost.objects.filter(pk=copy.pk).update(**values)
                _renamed(image)
                changed.append(image.pk)
            ImageOnHost.objects.filter(pk=copy.pk).update(observed_at=now)
        if changed:
            hints.changed(kind="image", action="updated", ids=changed, host_id=host.pk)


def images_gone(*, host: Host, engine_ids: Iterable[str]) -> None:
    """Some are no longer on a host."""
    _remove(host, list(ImageOnHost.objects.filter(host=host, image__digest__in=[*engine_ids])))


def images_swept(*, host: Host, since: datetime) -> None:
    """A whole list has been written since `since`: what it did not name is gone."""
    _remove(host, list(ImageOnHost.objects.filter(host=host, observed_at__lt=since)))


def _remove(host: Host, copies: Sequence[ImageOnHost]) -> None:
    if not copies:
        return
    ids = [copy.image_id for copy in copies]
    with transaction.atomic():
        ImageOnHost.objects.filter(pk__in=[copy.pk for copy in copies]).delete()
        for image in Image.objects.filter(pk__in=ids):
            _renamed(image)
        Image.objects.filter(pk__in=ids, copies=None).delete()
        hints.changed(kind="image", action="removed", ids=ids, host_id=host.pk)


def _renamed(image: Image) -> None:
    names = sorted({name for names in image.copies.values_list("references", flat=True) for name in names})
    Image.objects.filter(pk=image.pk).update(name=names[0] if names else "", version=F("version") + 1)


def order_ended(order: Order) -> None:
    """Records follow by the host's reports; lists are asked for again."""
    hints.changed(
        kind="image", action="updated", ids=[order.target_id] if order.target_id else [], host_id=order.host_id,
        order_id=order.pk,
    )  # fmt: skip


def build_ended(order: Order) -> None:
    """The context goes when its build is done; one that failed may be retried, until `contexts_expire`."""
    digest = str(order.args.get("context") or "")
    if (
        order.state == OrderState.DONE
        and not Order.objects.filter(op="image.build", state__in=OPEN, args__context=digest).exists()
    ):
        transaction.on_commit(lambda: contexts.context_drop(digest))
    order_ended(order)


def register() -> None:
    """Every op of images."""
    for op in ("pull", "tag", "push", "remove", "prune"):
        outcomes.register(f"image.{op}", ended=order_ended)
    outcomes.register("image.build", ended=build_ended, retried=build_retried)


def build_retried(order: Order) -> None:
    """A build can be retried while its context is still there.

    Raises:
        Invalid: it is not.
    """
    if not contexts.context_exists(str(order.args.get("context") or "")):
        raise Invalid("The build context is gone: build anew", code="context_gone")
