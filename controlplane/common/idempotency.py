"""`Idempotency-Key`: a request that is sent twice takes effect once.

The key's row is written before the action begins, and finished in the action's own transaction together with the
answer: after a crash in between, either both stand or neither does. Refused requests keep no answer, so that they can
be repeated once their cause is gone.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.common.errors import Conflict, KeyReused, invalid_field
from controlplane.common.models import IdempotencyKey

KEPT = timedelta(hours=24)
# No request runs this long, so a row that is still "running" after it belongs to a process that died.
LONGEST_RUN = timedelta(seconds=120)
LONGEST_KEY = 255


def once(request: Request, actor: str, action: Callable[[], Response]) -> Response:
    """Run `action` in a transaction, or give its first answer again.

    Args:
        actor: whose key it is; two actors' equal keys are strangers.

    Raises:
        KeyReused: the key came before with another request.
        Conflict: the first request with this key has not ended yet.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        with transaction.atomic():
            return action()
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise invalid_field(
            "", "bad_idempotency_key", f"Idempotency-Key must be 1 to {LONGEST_KEY} printable characters"
        )
    digest = _digest(request)
    row = _claim(actor, key, digest)
    if row.state == IdempotencyKey.DONE:
        body = json.loads(row.body) if row.body else None
        return Response(body, status=row.status, headers={**row.headers, "Idempotent-Replayed": "true"})
    try:
        with transaction.atomic():
            response = action()
            row.state, row.status = IdempotencyKey.DONE, response.status_code
            row.headers = {name: response[name] for name in ("Location", "ETag") if response.has_header(name)}
            row.body = "" if response.data is None else _encode(response)
            row.save()
    except BaseException:
        IdempotencyKey.objects.filter(pk=row.pk, state=IdempotencyKey.RUNNING).delete()
        raise
    return response


def _claim(actor: str, key: str, digest: str) -> IdempotencyKey:
    now = timezone.now()
    IdempotencyKey.objects.filter(actor=actor, key=key, created_at__lt=now - KEPT).delete()
    IdempotencyKey.objects.filter(
        actor=actor, key=key, state=IdempotencyKey.RUNNING, created_at__lt=now - LONGEST_RUN
    ).delete()
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(actor=actor, key=key, digest=digest)
    except IntegrityError:
        pass
    row = IdempotencyKey.objects.filter(actor=actor, key=key).first()
    if row is None or (row.digest == digest and row.state == IdempotencyKey.RUNNING):
        raise Conflict("The first request with this Idempotency-Key still runs", code="still_running", retry_after=1)
    if row.digest != digest:
        raise KeyReused("This Idempotency-Key came before with another request: use a new one")
    return row


def _digest(request: Request) -> str:
    whole = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    whole.update(json.dumps(request.data, sort_keys=True, default=str).encode())
    # A parser that reads files leaves their digest here: they are part of the request, and of no JSON.
    whole.update(str(getattr(request, "files_digest", "")).encode())
    return whole.hexdigest()


def _encode(response: Response) -> str:
    from rest_framework.renderers import JSONRenderer

    return str(JSONRenderer().render(response.data).decode())


def forget_old() -> int:
    """Drop keys past their time; beat calls it."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]
