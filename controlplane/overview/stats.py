"""`containers/{id}/stats/` and `hosts/{id}/stats/`: the last hours of use."""

import uuid
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import rights
from controlplane.common.errors import invalid_field
from controlplane.common.serializers import Query
from controlplane.common.views import ApiView, Operation
from controlplane.containers.selectors import container_get
from controlplane.hosts.selectors import host_get
from controlplane.telemetry.models import Sample
from controlplane.telemetry.series import points, window


class StatsQuery(Query):
    """Which time; the last hour without."""

    from_ = serializers.DateTimeField(required=False)
    to = serializers.DateTimeField(required=False)
    step = serializers.IntegerField(min_value=10, max_value=86400, required=False)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's."""
        fields = super().get_fields()
        fields["from"] = fields.pop("from_")
        return fields


class Point(serializers.Serializer[Any]):
    """One step; null where there was no sample. Network and block I/O in bytes a second."""

    at = serializers.DateTimeField()
    cpu_percent = serializers.FloatField(allow_null=True)
    cpu_percent_max = serializers.FloatField(allow_null=True)
    memory_bytes = serializers.IntegerField(allow_null=True)
    memory_cache = serializers.IntegerField(allow_null=True)
    memory_limit = serializers.IntegerField(allow_null=True)
    pids = serializers.IntegerField(allow_null=True)
    net_rx = serializers.FloatField(allow_null=True)
    net_tx = serializers.FloatField(allow_null=True)
    block_read = serializers.FloatField(allow_null=True)
    block_write = serializers.FloatField(allow_null=True)


class Series(serializers.Serializer[Any]):
    """Points over one common axis of time."""

    step = serializers.IntegerField(help_text="Seconds")
    points = Point(many=True)


def series(view: ApiView, subject: uuid.UUID) -> Response:
    """One subject's samples as the query asks.

    Raises:
        Invalid: the range.
    """
    query = view.query
    try:
        shown = window(now=timezone.now(), start=query.get("from"), end=query.get("to"), step=query.get("step"))
    except ValueError as error:
        raise invalid_field("/to", "bad_range", str(error)) from None
    rows = list(Sample.objects.filter(subject_id=subject, at__gte=shown.start, at__lt=shown.end).order_by("at"))
    return Response({"step": shown.step, "points": points(rows, shown)})


class ContainerStatsView(ApiView):
    """Of a container."""

    operations = {
        "GET": Operation(rights.CONTAINERS_VIEW, "Use of a container over time", query=StatsQuery, response=Series)
    }

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """At most 1,000 points."""
        return series(self, container_get(self.access, id).pk)


class HostStatsView(ApiView):
    """Of a host."""

    operations = {"GET": Operation(rights.HOSTS_VIEW, "Use of a host over time", query=StatsQuery, response=Series)}

    def get(self, request: Request, id: uuid.UUID) -> Response:
        """The host's own totals."""
        return series(self, host_get(self.access, id).pk)
