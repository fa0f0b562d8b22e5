"""What allauth may do here: sign people in, no faster than throttle.py allows; nobody signs up by themselves."""

import hashlib
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from controlplane.accounts import throttle
from controlplane.accounts.authentication import remote_address
from controlplane.audit.services import entry_add
from controlplane.common import bus
from controlplane.common.access import Actor
from controlplane.common.problems import problem, response
from controlplane.common.views import Note


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth's decisions that differ from its defaults."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts are made by an administrator."""
        return False

    def logout(self, request: HttpRequest) -> None:
        """End the session, and at once the sockets that were opened with it."""
        session_key = request.session.session_key or ""
        super().logout(request)
        bus.publish(bus.SIGNED_OUT, session=hashlib.sha256(session_key.encode()).hexdigest())

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """Look at a password, if this name and network have a try left; every look is in the trail.

        Raises:
            ImmediateHttpResponse: 429, also for a right password: whoever guesses must not learn that it was right.
        """
        name, address = str(credentials.get("username") or credentials.get("email") or ""), remote_address(request)
        key = throttle.key_of(name, address)
        wait = throttle.take(key)
        if wait:
            answer = response(request, problem(429, "too_many_sign_ins", f"Too many sign-ins: wait {wait} s"))
            answer["Retry-After"] = str(wait)
            raise ImmediateHttpResponse(answer)
        user = cast("AbstractBaseUser | None", super().authenticate(request, **credentials))
        known = user is not None and user.is_active
        if known:
            throttle.succeeded(key)
        actor = Actor(
            id=f"user:{user.pk}" if user is not None and known else "",
            name=name[:150],
            kind="user",
            address=address,
            request_id=getattr(request, "request_id", ""),
        )
        entry_add(
            access=None, actor=actor, action="session.create", note=Note(), refused="" if known else "bad_password"
        )
        return user
