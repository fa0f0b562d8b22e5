"""Make this host one of a control plane's: by a join string that is read from stdin, never from an argument.

    URL#KEYHASH#TOKEN    address · SHA-256 of the control plane's Ed25519 key · one-use token

The answer is taken only if it is signed by the key of that hash, so the token's way there needs no trusted certificate.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from agent.link import facts
from agent.link.keys import HostKey, Trusted
from agent.link.settings import Identity, LinkSettings, write_identity, write_private
from agent.link.transport import HandshakeFailed, check_url
from agent.protocol import versions

_SECONDS: Final = 30.0
_LONGEST: Final = 64 * 1024


class EnrolmentFailed(Exception):
    """Why this host was not taken, in words for the person who pasted the line."""


@dataclass(frozen=True)
class Join:
    """A join string's parts."""

    url: str
    key_hash: str
    token: str


def parse(text: str) -> Join:
    """Read a join string.

    Raises:
        EnrolmentFailed: it is not one, or was cut.
    """
    parts = text.strip().split("#")
    if len(parts) != 3 or not all(parts):
        raise EnrolmentFailed("that is not a join string: it has the form URL#KEYHASH#TOKEN")
    url, key_hash, token = parts
    if len(key_hash) != 64 or len(token) < 43:
        raise EnrolmentFailed("the join string was cut: copy the whole line again")
    try:
        check_url(url)
    except HandshakeFailed as error:
        raise EnrolmentFailed(str(error)) from None
    return Join(url.rstrip("/"), key_hash.lower(), token)


def enrol(settings: LinkSettings, key: HostKey, join: Join, name: str) -> Identity:
    """Post the token and this host's key; write down who we are now.

    Raises:
        EnrolmentFailed: refused, unreachable, or answered by somebody without the control plane's key.
    """
    about = {
        "hostname": name,
        "boot_id": facts.boot_id(),
        "agent_version": facts.AGENT_VERSION,
        "protocol": versions.PROTOCOL,
    }
    facts_text = json.dumps(about, sort_keys=True, separators=(",", ":"))
    public = key.public.hex()
    statement = versions.enrol_statement(
        join.url,
        hashlib.sha256(join.token.encode()).hexdigest(),
        public,
        hashlib.sha256(facts_text.encode()).hexdigest(),
    )
    answer = _post(
        join.url + versions.ENROL_PATH,
        {
            "token": join.token,
            "public_key": public,
            "facts": facts_text,
            "sig": base64.b64encode(key.sign(statement)).decode(),
        },
    )
    identity, ca = _believed(answer, join, public)
    if ca:
        write_private(settings.registry_ca(join.url), ca.encode())
    write_identity(settings, identity)
    return identity


def _believed(answer: dict[str, Any], join: Join, public: str) -> tuple[Identity, str]:
    try:
        host_id, server_key = str(answer["host_id"]), str(answer["server_key"])
        raw = binascii.unhexlify(server_key)
        sig = base64.b64decode(str(answer["sig"]), validate=True)
        ca = str(answer["ca"])
    except (KeyError, ValueError, TypeError):
        raise EnrolmentFailed("the control plane's answer cannot be read") from None
    if versions.key_id(raw) != join.key_hash:
        raise EnrolmentFailed("whoever answered has not the key that the join string names: nothing was changed")
    trusted = Trusted({join.key_hash: server_key})
    ca_hash = hashlib.sha256(ca.encode()).hexdigest()
    if not trusted.verify(join.key_hash, sig, versions.enrolled_statement(join.url, host_id, public, ca_hash)):
        raise EnrolmentFailed("the control plane's answer is not signed by its key: nothing was changed")
    return Identity(join.url, host_id, {join.key_hash: server_key}), ca


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps(body).encode(), {"Content-Type": "application/json", "Accept": "application/json"}
    )
    # The answer's signature is what counts: a private CA is as good as a public one here.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _NoRedirect()
    )
    end, told = time.monotonic() + _SECONDS, False
    while True:
        try:
            with opener.open(request, timeout=_SECONDS) as response:
                answer = json.loads(response.read(_LONGEST))
            return answer if isinstance(answer, dict) else {}
        except urllib.error.HTTPError as error:
            raise EnrolmentFailed(_words(error)) from None
        except ValueError:
            raise EnrolmentFailed("the control plane's answer is not JSON") from None
        except OSError as error:
            left = end - time.monotonic()
            if left <= 0:
                raise EnrolmentFailed(f"{url} does not answer: {error}") from None
            if not told:
                told = True
                sys.stderr.write(f"{url} does not answer yet: {error}. Trying for another {left:.0f} s\n")
            time.sleep(1.0)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _words(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read(_LONGEST))
        return str(problem.get("detail") or problem.get("title") or error)
    except (ValueError, AttributeError):
        return f"the control plane answered {error.code}"
