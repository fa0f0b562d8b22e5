"""`POST /agent/v1/enrol`: where a new host trades its one-use token for a place in the fleet. No session, no cookie."""

import base64
import hashlib
import json
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from agent.protocol.versions import enrolled_statement
from controlplane.common.errors import Denied, Invalid, Refusal, TooMany
from controlplane.hosts import server_key
from controlplane.hosts.enrolment import attempt_count, host_enrol

_LONGEST: Final = 16 * 1024
_FIELDS: Final = frozenset({"token", "public_key", "facts", "sig"})


@csrf_exempt
@require_POST
def enrol(request: HttpRequest) -> HttpResponse:
    """Answer with the host's id and the control plane's key, signed by that key."""
    address = str(request.META.get("REMOTE_ADDR", ""))
    try:
        attempt_count(address)
        fields = _fields(request)
        host_id = host_enrol(
            token=fields["token"],
            public_key=fields["public_key"],
            facts=fields["facts"],
            sig=base64.b64decode(fields["sig"], validate=True),
            address=address,
        )
    except ValueError:
        return _problem(400, Invalid("The signature is not base64"))
    except TooMany as refusal:
        return _problem(429, refusal)
    except Denied as refusal:
        return _problem(403, refusal)
    except Refusal as refusal:
        return _problem(400, refusal)
    ca = _private_ca()
    ca_hash = hashlib.sha256(ca.encode()).hexdigest()
    statement = enrolled_statement(settings.LONGSHORE_URL, str(host_id), fields["public_key"], ca_hash)
    return JsonResponse(
        {
            "host_id": str(host_id),
            "server_key": server_key.public_key().hex(),
            "ca": ca,
            "sig": base64.b64encode(server_key.sign(statement)).decode(),
        }
    )


def _private_ca() -> str:
    """The CA that `scripts/up` made, so that the host's engine trusts the registry; empty with a public certificate."""
    path = settings.LONGSHORE_DATA / "tls" / "ca.pem"
    return path.read_text() if path.exists() else ""


def _fields(request: HttpRequest) -> dict[str, str]:
    if int(request.META.get("CONTENT_LENGTH") or 0) > _LONGEST:
        raise Invalid("The request is too long")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Invalid("The request is not JSON") from None
    if not isinstance(body, dict) or body.keys() != _FIELDS or not all(isinstance(one, str) for one in body.values()):
        raise Invalid(f"The request must hold {', '.join(sorted(_FIELDS))} as text, and nothing else")
    return body


def _problem(status: int, refusal: Refusal) -> HttpResponse:
    body = {
        "type": f"/problems/{refusal.code}/",
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": status,
        "detail": refusal.detail,
        "code": refusal.code,
    }
    response = JsonResponse(body, status=status, content_type="application/problem+json")
    if refusal.retry_after:
        response["Retry-After"] = str(refusal.retry_after)
    return response
