"""The cast of the control plane's tests: people, their tokens, hosts, and what hosts report."""

import json
import uuid
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from controlplane.accounts.models import Grant, Role, User
from controlplane.accounts.services import token_create
from controlplane.containers.models import Container
from controlplane.containers.services.observed import containers_observed
from controlplane.hosts.models import Host, HostState
from controlplane.orders.models import Order
from controlplane.orders.results import order_ended

PASSWORD = "correct horse battery"


def person(name: str, role: str | None, host: Host | None = None) -> User:
    """A user with a role, on all hosts or on one."""
    user = User.objects.create_user(name, PASSWORD)
    if role:
        Grant.objects.create(user=user, role=Role.objects.get(name=role), host_id=host.pk if host else None)
    return user


class Api:
    """REST with one person's token; answers keep their JSON in `.data`."""

    def __init__(self, user: User | None, **token: Any) -> None:
        self.client = Client()
        self.headers: dict[str, str] = {}
        self.token = ""
        if user is not None:
            _, self.token = token_create(
                user=user, name=uuid.uuid4().hex, expires_at=timezone.now() + timedelta(days=1), **token
            )
            self.headers["Authorization"] = f"Bearer {self.token}"

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.generic(
            method, f"/api/{path}", b"" if body is None else json.dumps(body),
            content_type="application/json", headers={**self.headers, **named},
        )  # fmt: skip
        is_json = answer.headers.get("Content-Type", "").endswith("json")
        answer.data = json.loads(answer.content) if is_json and not answer.streaming and answer.content else None
        return answer


def online_host(name: str = "web-1") -> Host:
    """An enrolled host whose connection is up."""
    return Host.objects.create(name=name, state=HostState.ONLINE, public_key="ab" * 32, last_seen_at=timezone.now())


def report(engine_id: str = "e" * 64, **changes: Any) -> dict[str, Any]:
    """One container as an agent reports it."""
    return {
        "engine_id": engine_id, "longshore_id": "", "name": "db", "image": "postgres:16", "image_id": "sha256:aa",
        "command": "postgres", "state": "running", "health": "", "health_log": [], "exit_code": 0,
        "oom_killed": False, "error": "", "created_at": "2026-01-02T03:04:05.123456789Z",
        "started_at": "2026-01-02T03:04:06Z", "finished_at": "0001-01-01T00:00:00Z", "restart_count": 0,
        "restart_policy": "no", "ports": [{"container_port": 5432, "protocol": "tcp", "host_port": 5432}],
        "labels": {"tier": "data"}, "networks": {"bridge": {"NetworkID": "n" * 64, "IPAddress": "172.17.0.2"}},
        "mounts": [{"Type": "volume", "Name": "db-data", "Destination": "/data"}],
        "inspect": {"Config": {"Env": ["PASSWORD=hunter2"], "Tty": False}, "HostConfig": {"Memory": 1 << 20}},
        **changes,
    }  # fmt: skip


def running(host: Host, **changes: Any) -> Container:
    """A container that the host reported."""
    item = report(**{"engine_id": uuid.uuid4().hex * 2, **changes})
    containers_observed(host=host, items=[item])
    return Container.objects.get(host=host, engine_id=item["engine_id"])


def ends(order_id: str, state: str = "done", **more: Any) -> None:
    """The host's word on how an order ended."""
    order = Order.objects.get(pk=order_id)
    told = {"result": {}, "problem": None, "finished_at": timezone.now().isoformat(), **more}
    order_ended(order.host_id, str(order.pk), state=state, **told)
