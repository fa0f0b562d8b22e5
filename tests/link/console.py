"""A process with the control plane's settings that does what a test asks, one JSON line each: [name, args] -> answer.

Tests start it with the environment of their own installation; the test's process itself needs no Django.
"""

import hashlib
import json
import secrets
import sys
from datetime import timedelta
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.utils import timezone  # noqa: E402

from controlplane.accounts.models import Grant, User  # noqa: E402
from controlplane.accounts.services import token_create, user_create  # noqa: E402
from controlplane.audit.models import Entry  # noqa: E402
from controlplane.common import bus, hints  # noqa: E402
from controlplane.common.access import SYSTEM  # noqa: E402
from controlplane.containers.models import Container  # noqa: E402
from controlplane.fleet import services as fleet  # noqa: E402
from controlplane.hosts import server_key  # noqa: E402
from controlplane.hosts.models import Enrolment, EnrolmentAttempt, Event, Host  # noqa: E402
from controlplane.orders.models import Order  # noqa: E402
from controlplane.orders.services import order_cancel, order_create  # noqa: E402
from controlplane.orders.signing import sealed  # noqa: E402


def join(name: str, minutes: float = 15) -> str:
    """A new host's join string."""
    token = secrets.token_urlsafe(32)
    Enrolment.objects.create(
        host=Host.objects.create(name=name),
        token_hash=hashlib.sha256(token.encode()).hexdigest(),
        expires_at=timezone.now() + timedelta(minutes=minutes),
        created_by="test",
    )
    return f"{settings.LONGSHORE_URL}#{server_key.key_hash()}#{token}"


def host(name: str) -> dict[str, Any]:
    row = Host.objects.get(name=name)
    return {"id": str(row.pk), "state": row.state, "epoch": row.epoch, "seq": row.seq, "reason": row.offline_reason,
            "engine": row.engine, "facts": row.facts, "policy": row.policy}  # fmt: skip


def set_host(name: str, **fields: Any) -> None:
    Host.objects.filter(name=name).update(**fields)


def silent_for(name: str, seconds: float) -> None:
    Host.objects.filter(name=name).update(last_seen_at=timezone.now() - timedelta(seconds=seconds))


def order(name: str, op: str, args: dict[str, Any], seconds: float = 600, ring: bool = True) -> str:
    """An order, as a service makes it; `ring=False` keeps the doorbell silent."""
    from controlplane.orders import services

    if not ring:
        services.ring_on_commit = lambda *_: None  # type: ignore[assignment]
    try:
        made = order_create(
            host=Host.objects.get(name=name), op=op, args=args, actor=SYSTEM, target_type=op.partition(".")[0],
            target_name="t", not_after=timezone.now() + timedelta(seconds=seconds),
        )  # fmt: skip
    finally:
        from controlplane.common.dispatch import ring_on_commit

        services.ring_on_commit = ring_on_commit
    return str(made.pk)


def orders(ids: list[str]) -> list[dict[str, Any]]:
    found = {str(row.pk): row for row in Order.objects.filter(pk__in=ids)}
    return [
        {"id": key, "state": found[key].state, "result": found[key].result, "problem": found[key].problem,
         "seq": found[key].seq, "rings": found[key].rings,
         "lines": [line.text for line in found[key].lines.all()[:50]]}
        for key in ids
    ]  # fmt: skip


def age(order_id: str, seconds: float) -> None:
    """Let an order have been made, and have expired, that long ago."""
    then = timezone.now() - timedelta(seconds=seconds)
    Order.objects.filter(pk=order_id).update(created_at=then, not_after=then)


def run_task(name: str) -> None:
    """Run one of beat's tasks here."""
    from controlplane.celery import app

    app.loader.import_default_modules()
    app.tasks[name]()


def envelope(order_id: str) -> dict[str, str]:
    return sealed(Order.objects.get(pk=order_id))


def cancel(order_id: str) -> str:
    return order_cancel(order=Order.objects.get(pk=order_id)).state


def revoke(name: str) -> None:
    fleet.revoke(host=Host.objects.get(name=name), reason="test")


def user(name: str, role: str) -> dict[str, str]:
    """A user, as a browser's session and as a token."""
    made = User.objects.filter(username=name).first() or user_create(
        username=name, password=secrets.token_hex(12), role=role
    )
    store = SessionStore()
    store[SESSION_KEY] = str(made.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = made.get_session_auth_hash()
    store.create()
    _, token = token_create(user=made, name=secrets.token_hex(4))
    return {"id": str(made.pk), "session": store.session_key or "", "token": token}


def expire_session(key: str) -> None:
    SessionStore(key).delete()


def sign_out(key: str) -> None:
    SessionStore(key).delete()
    bus.publish(bus.SIGNED_OUT, session=hashlib.sha256(key.encode()).hexdigest())


def disable(user_id: str) -> None:
    User.objects.filter(pk=user_id).update(is_active=False)


def take_rights(user_id: str) -> None:
    Grant.objects.filter(user_id=user_id).delete()
    bus.publish(bus.RIGHTS_CHANGED, user_id=user_id)


def give_rights_on(user_id: str, host_name: str) -> None:
    """Narrow a user's grants to one host."""
    Grant.objects.filter(user_id=user_id).update(host_id=Host.objects.get(name=host_name).pk)


def container(name: str, engine_id: str, state: str = "running") -> str:
    """A container's record, made by hand or found."""
    row, _ = Container.objects.get_or_create(
        host=Host.objects.get(name=name), engine_id=engine_id, defaults={"name": engine_id[:12], "state": state}
    )
    return str(row.pk)


def set_container(container_id: str, **fields: Any) -> None:
    Container.objects.filter(pk=container_id).update(**fields)


def containers(name: str) -> list[dict[str, Any]]:
    return [
        {
            "id": str(row.pk),
            "engine_id": row.engine_id,
            "name": row.name,
            "state": row.state,
            "last_exit": row.last_exit,
        }
        for row in Container.objects.filter(host__name=name)
    ]


def events(name: str) -> list[dict[str, Any]]:
    rows = Event.objects.filter(host__name=name).order_by("at")
    return [{"kind": row.kind, "action": row.action, "attributes": row.attributes} for row in rows]


def audit(action: str) -> list[dict[str, Any]]:
    rows = Entry.objects.filter(action=action)
    return [{"code": row.code, "details": row.details, "target": row.target_name} for row in rows]


def hint(kind: str, action: str, ids: list[str], host_name: str) -> None:
    hints.changed(kind=kind, action=action, ids=ids, host_id=Host.objects.get(name=host_name).pk)


def forget_attempts() -> None:
    EnrolmentAttempt.objects.all().delete()


def counts() -> dict[str, int]:
    return {"hosts": Host.objects.count(), "spent": Enrolment.objects.filter(spent_at__isnull=False).count()}


def main() -> None:
    for line in sys.stdin:
        name, args, options = json.loads(line)
        try:
            answer: Any = {"ok": globals()[name](*args, **options)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write("\x1e" + json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


main()
