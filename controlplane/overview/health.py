"""`health/` and `ready/`: for supervisors and load balancers, without signing in."""

import shutil
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common import bus
from controlplane.common.permissions import PUBLIC
from controlplane.common.views import ApiView, Operation

LEAST_DISK = 256 * 1024 * 1024


class Check(serializers.Serializer[Any]):
    """One thing that is needed."""

    name = serializers.CharField()
    ok = serializers.BooleanField()
    detail = serializers.CharField()


class Health(serializers.Serializer[Any]):
    """Whether this process can do its work."""

    status = serializers.ChoiceField(choices=["ok", "degraded", "failed"])
    version = serializers.CharField()
    checks = Check(many=True)


class HealthView(ApiView):
    """This process answers."""

    operations = {"GET": Operation(PUBLIC, "Whether this process answers", response=Health)}
    authentication_classes = []

    def get(self, request: Request) -> Response:
        """Nothing is asked of anybody else: a broken database must not make a supervisor restart us."""
        return Response({"status": "ok", "version": settings.LONGSHORE_VERSION, "checks": []})


class ReadyView(ApiView):
    """This process can serve."""

    operations = {"GET": Operation(PUBLIC, "Whether this process can serve", response=Health)}
    authentication_classes = []

    def get(self, request: Request) -> Response:
        """503 without the database; without Redis it serves on, with orders a little later."""
        database, redis, disk = _database(), _redis(), _disk()
        needed = database["ok"] and disk["ok"]
        status = "failed" if not needed else "ok" if redis["ok"] else "degraded"
        body = {"status": status, "version": settings.LONGSHORE_VERSION, "checks": [database, redis, disk]}
        return Response(body, status=200 if needed else 503, headers={} if needed else {"Retry-After": "5"})


def _database() -> dict[str, Any]:
    try:
        waiting = MigrationExecutor(connection).migration_plan(MigrationExecutor(connection).loader.graph.leaf_nodes())
    except DatabaseError:
        return {"name": "database", "ok": False, "detail": "does not answer"}
    detail = f"{len(waiting)} migrations to run: manage.py migrate" if waiting else "answers"
    return {"name": "database", "ok": not waiting, "detail": detail}


def _redis() -> dict[str, Any]:
    try:
        bus.client().ping()
    except Exception as error:
        return {"name": "redis", "ok": False, "detail": type(error).__name__}
    return {"name": "redis", "ok": True, "detail": "answers"}


def _disk() -> dict[str, Any]:
    free = shutil.disk_usage(settings.LONGSHORE_DATA).free
    return {"name": "disk", "ok": free > LEAST_DISK, "detail": f"{free >> 20} MiB free"}
