"""Who a user name and a password are: a user's own, or an API token `ls_…` in the password's place."""

from django.contrib.auth.hashers import make_password

from controlplane.accounts import throttle
from controlplane.accounts.authentication import bearer
from controlplane.accounts.models import User
from controlplane.accounts.selectors import access_of_token, access_of_user
from controlplane.accounts.tokens import PREFIX
from controlplane.common.access import Access
from controlplane.common.errors import TooMany, Unauthenticated


def authenticate(username: str, password: str, address: str) -> Access | None:
    """The actor with its rights, None for wrong credentials. Counted as a sign-in, like those of browsers.

    Raises:
        TooMany: too many failed ones for this name from this network.
    """
    key = throttle.key_of(username, address)
    if wait := throttle.take(key):
        raise TooMany(f"Too many failed sign-ins: try again in {wait} s", retry_after=wait)
    access = _token(password, address) if password.startswith(PREFIX) else _user(username, password, address)
    if access is not None:
        throttle.succeeded(key)
    return access


def _token(text: str, address: str) -> Access | None:
    try:
        return access_of_token(bearer(f"Bearer {text}", address), address=address)
    except Unauthenticated:
        return None


def _user(username: str, password: str, address: str) -> Access | None:
    user = User.objects.filter(username=username).first()
    if user is None:
        # As much work as for a user who is there, so that the time tells nothing.
        make_password(password)
        return None
    if not user.check_password(password) or not user.is_active:
        return None
    return access_of_user(user, address=address)
