"""`images/`: one row an image over all hosts, and the verbs, one order a host."""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce
from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import rights
from controlplane.common.errors import invalid_field
from controlplane.common.etags import conditional
from controlplane.common.lists import Ordering, by_id_or_name, page
from controlplane.common.parsers import StrictJSONParser
from controlplane.common.views import ApiView, Operation
from controlplane.gateway import dial
from controlplane.hosts.models import Host, Use
from controlplane.hosts.selectors import host_for
from controlplane.hosts.uses import uses_of
from controlplane.images import contexts, services
from controlplane.images import serializers as s
from controlplane.images.models import Image, ImageOnHost
from controlplane.images.selectors import hosts_of, image_get, images_visible
from controlplane.orders.answers import accepted_all
from controlplane.orders.models import Order
from controlplane.orders.serializers import Batch, OrderJson

ONE_OR_MANY = PolymorphicProxySerializer("OrderOrBatch", [OrderJson, Batch], resource_type_field_name=None)


class ImagesView(ApiView):
    """The list."""

    operations = {
        "GET": Operation(rights.IMAGES_VIEW, "List images", query=s.ImageQuery, response=s.ImageRow, many=True)
    }
    ordering = Ordering(
        {
            "created_at": Coalesce("built_at", datetime(1970, 1, 1, tzinfo=UTC)),
            "name": "name",
            "size": "size",
        },
        "-created_at",
    )

    def get(self, request: Request) -> Response:
        """By host, reference, digest, use."""
        rows, query = images_visible(self.access), self.query
        if query.get("host"):
            copies = ImageOnHost.objects.filter(by_id_or_name("host", query["host"]), image=OuterRef("pk"))
            rows = rows.filter(Exists(copies))
        if query.get("digest"):
            rows = rows.filter(digest__in=query["digest"])
        if query.get("reference"):
            rows = rows.filter(_named(query["reference"]))
        for name, wanted in (("unused", Use.objects.filter(kind="image", key=OuterRef("digest"))),):
            if name in query:
                rows = rows.filter(~Exists(wanted) if query[name] else Exists(wanted))
        if "dangling" in query:
            rows = rows.filter(name="") if query["dangling"] else rows.exclude(name="")
        if query.get("search"):
            words = query["search"]
            copies = ImageOnHost.objects.filter(references__icontains=words, image=OuterRef("pk"))
            found = Q(name__icontains=words) | Q(digest__istartswith=words) | Q(digest__istartswith=f"sha256:{words}")
            rows = rows.filter(found | Q(Exists(copies)))
        return page(request, query, rows, ordering=self.ordering, render=self._rows)

    def _rows(self, rows: Sequence[Image]) -> list[Any]:
        return list(s.ImageRow(rows, many=True, context=context_of(self, rows)).data)


def _named(references: Sequence[str]) -> Q:
    found = Q()
    for reference in references:
        copies = ImageOnHost.objects.filter(references__icontains=json.dumps(reference), image=OuterRef("pk"))
        found |= Q(Exists(copies)) | Q(name=reference)
    return found


def context_of(view: ApiView, rows: Sequence[Image]) -> dict[str, Any]:
    """What the serializer needs of others' tables."""
    return {"access": view.access, "uses": uses_of(view.access, Use.Kind.IMAGE, [row.digest for row in rows])}


class ImageView(ApiView):
    """One image."""

    operations = {
        "GET": Operation(rights.IMAGES_VIEW, "One image", response=s.ImageRow),
        "DELETE": Operation(
            rights.IMAGES_REMOVE, "Remove an image, or one of its names", query=s.RemoveQuery, response=ONE_OR_MANY,
            status=202, order="image.remove", action="image.remove",
        ),
    }  # fmt: skip

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """With the hosts that have it."""
        image = image_get(self.access, id)
        data = s.ImageRow(image, context=context_of(self, [image])).data
        version = f"{image.version}-{data['containers']}-{len(data['hosts'])}"
        return conditional(request, version, data)

    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """From the hosts that were named, else from the only one that has it."""
        image = image_get(self.access, id)
        self.note(image)
        hosts = hosts_of(self.access, image, self.query.get("hosts") or [], rights.IMAGES_REMOVE)
        args: dict[str, Any] = {"image": self.query.get("reference") or image.digest}
        if self.query["force"]:
            args["force"] = True
        return _order(self, "image.remove", hosts, args, image=image, name=str(image), query=self.query)


def _order(
    view: ApiView,
    op: str,
    hosts: Sequence[Host],
    args: Mapping[str, Any],
    *,
    name: str,
    query: Mapping[str, Any],
    image: Image | None = None,
) -> Response:
    orders, batch = services.image_order(
        op=op, hosts=hosts, args=args, actor=view.access.actor, name=name, image=image,
        credential=query.get("credential"), not_after=query.get("not_after"),
    )  # fmt: skip
    view._notes.clear()
    for order in orders:
        _note(view, order, image)
    return accepted_all(orders, batch)


def _note(view: ApiView, order: Order, image: Image | None) -> None:
    view.note(image, host=order.host, order=order, details={"reference": order.target_name})


class PullView(ApiView):
    """Fetch from a registry."""

    operations = {
        "POST": Operation(
            rights.IMAGES_PULL, "Pull an image", body=s.Pull, response=ONE_OR_MANY, status=202, order="image.pull",
            action="image.pull", example={"hosts": ["web-1"], "reference": "nginx:alpine"},
        )
    }  # fmt: skip

    def post(self, request: Request) -> Response:
        """One order a host."""
        body = self.body
        reference = services.check_reference(body["reference"])
        self.note(details={"reference": reference})
        hosts = [host_for(self.access, name, rights.IMAGES_PULL) for name in dict.fromkeys(body["hosts"])]
        args = {"reference": reference, **({"platform": body["platform"]} if body.get("platform") else {})}
        return _order(self, "image.pull", hosts, args, name=reference, query=body)


class FormParser(MultiPartParser):
    """`form` as JSON beside the file `context`."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """The form's fields; the file is left in `request._request`'s own place, the context."""
        parsed = super().parse(stream, media_type, parser_context)
        if set(parsed.data) - {"form"} or set(parsed.files) - {"context"}:
            raise ParseError("A multipart build has the parts `form` and `context`, and no other")
        try:
            form = json.loads(parsed.data.get("form", ""))
        except ValueError:
            raise ParseError("The part `form` is not JSON") from None
        if not isinstance(form, dict):
            raise ParseError("The part `form` must be a JSON object")
        if parser_context is not None:
            upload = parsed.files.get("context")
            request = parser_context["request"]
            request.build_context, request.files_digest = upload, _digest(upload)
        return form


def _digest(upload: Any) -> str:
    whole = hashlib.sha256()
    for chunk in upload.chunks() if upload is not None else ():
        whole.update(chunk)
    return whole.hexdigest()


class BuildView(ApiView):
    """Build from a Dockerfile."""

    parser_classes = [StrictJSONParser, FormParser]
    operations = {
        "POST": Operation(
            rights.IMAGES_BUILD, "Build an image", body=s.Build, response=ONE_OR_MANY, status=202, order="image.build",
            action="image.build",
            example={"hosts": ["web-1"], "dockerfile_text": "FROM busybox\n", "tags": ["hello:latest"]},
        )
    }  # fmt: skip

    def post(self, request: Request) -> Response:
        """From a pasted Dockerfile, or from an uploaded archive."""
        body = self.body
        self.note(details={"tags": body["tags"]})
        hosts = [host_for(self.access, name, rights.IMAGES_BUILD) for name in dict.fromkeys(body["hosts"])]
        if services.leaves_the_bridge(body.get("network") or ""):
            for host in hosts:
                self.access.require(rights.CONTAINERS_PRIVILEGED, host.pk, host.name)
        upload = getattr(request, "build_context", None)
        if (upload is None) == ("dockerfile_text" not in body):
            detail = "Give a Dockerfile as `dockerfile_text`, or an archive as the part `context`"
            raise invalid_field("/dockerfile_text", "required", detail)
        services.build_args(body, "")
        if upload is None:
            context = contexts.context_of_text(body["dockerfile_text"])
        else:
            context = contexts.context_store(upload.chunks())
        args = services.build_args(body, context)
        name = body["tags"][0] if body["tags"] else "untagged build"
        return _order(self, "image.build", hosts, args, name=name, query=body)


class TagView(ApiView):
    """One more name."""

    operations = {
        "POST": Operation(
            rights.IMAGES_BUILD, "Tag an image", body=s.Tag, response=ONE_OR_MANY, status=202, order="image.tag",
            action="image.tag", example={"reference": "hello:stable"},
        )
    }  # fmt: skip

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """On the hosts that were named."""
        image = image_get(self.access, id)
        self.note(image, details={"reference": self.body["reference"]})
        reference = services.check_reference(self.body["reference"], tag=True)
        hosts = hosts_of(self.access, image, self.body.get("hosts") or [], rights.IMAGES_BUILD)
        args = {"image": image.digest, "reference": reference}
        return _order(self, "image.tag", hosts, args, image=image, name=reference, query=self.body)


class PushView(ApiView):
    """To a registry."""

    operations = {
        "POST": Operation(
            rights.IMAGES_BUILD, "Push an image", body=s.Push, response=ONE_OR_MANY, status=202, order="image.push",
            action="image.push", example={"reference": "registry.example:8443/hello:latest"},
        )
    }  # fmt: skip

    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Under a name that it has on that host."""
        image = image_get(self.access, id)
        self.note(image, details={"reference": self.body["reference"]})
        reference = services.check_reference(self.body["reference"], tag=True)
        hosts = hosts_of(self.access, image, self.body.get("hosts") or [], rights.IMAGES_BUILD)
        return _order(self, "image.push", hosts, {"reference": reference}, image=image, name=reference, query=self.body)


class PruneView(ApiView):
    """Free disk."""

    operations = {
        "POST": Operation(
            rights.IMAGES_REMOVE, "Remove unused images, or tell what that would free", body=s.ImagePrune, status=202,
            response=PolymorphicProxySerializer(
                "ImagePruneResult", [s.ImagesReclaimable, OrderJson, Batch], resource_type_field_name=None
            ),
            order="image.prune", action="image.prune", example={"hosts": ["web-1"], "dry_run": True},
        )
    }  # fmt: skip

    def post(self, request: Request) -> Response:
        """With `dry_run` 200 and what would go, from the records."""
        body = self.body
        self.note()
        hosts = [host_for(self.access, name, rights.IMAGES_REMOVE) for name in dict.fromkeys(body["hosts"])]
        if body["dry_run"]:
            used = Use.objects.filter(host__in=hosts, kind=Use.Kind.IMAGE).values_list("key", flat=True)
            return Response({"reclaimable": {"images": services.reclaimable(hosts, named_too=body["all"], used=used)}})
        filters: dict[str, list[str]] = {"dangling": ["false" if body["all"] else "true"]}
        if body.get("until"):
            filters["until"] = [body["until"]]
        name = "unused images" if body["all"] else "dangling images"
        return _order(self, "image.prune", hosts, {"filters": filters}, name=name, query=body)


class HistoryView(ApiView):
    """Layers."""

    operations = {"GET": Operation(rights.IMAGES_VIEW, "History of an image", query=s.HistoryQuery, response=s.Layers)}

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Asked of a host that has it; 503 while it is away."""
        image = image_get(self.access, id)
        copies = image.visible_copies  # type: ignore[attr-defined]
        asked = self.query.get("host")
        having = [copy.host for copy in copies if not asked or asked in {copy.host.name, str(copy.host_id)}]
        host = next((one for one in having if one.online), having[0] if having else None)
        if host is None:
            raise invalid_field("/host", "no_such_image", f"{asked} does not have this image")
        told = dial.call(host.pk, "GET", f"/images/{image.digest}/history").json() or []
        return Response({"results": [_layer(layer) for layer in told]})


def _layer(layer: Mapping[str, Any]) -> dict[str, Any]:
    created = int(layer.get("Created") or 0)
    return {
        "id": str(layer.get("Id") or ""),
        "created_at": datetime.fromtimestamp(created, UTC).isoformat() if created > 0 else None,
        "created_by": str(layer.get("CreatedBy") or ""),
        "size": int(layer.get("Size") or 0),
        "tags": layer.get("Tags") or [],
        "comment": str(layer.get("Comment") or ""),
    }


class UsedByView(ApiView):
    """Containers."""

    operations = {"GET": Operation(rights.IMAGES_VIEW, "Containers that use an image", response=s.Users)}

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """On hosts that one may see."""
        image = image_get(self.access, id)
        uses = [use for found in context_of(self, [image])["uses"].values() for use in found]
        hosts = Host.objects.in_bulk({use.host_id for use in uses})
        rows = [
            {"container_id": use.container_id, "container_name": use.container_name, "host": hosts[use.host_id]}
            for use in uses
        ]
        return Response(s.Users({"results": rows}).data)
