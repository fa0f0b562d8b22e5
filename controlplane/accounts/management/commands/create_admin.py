"""`manage.py create_admin`: the first administrator."""

import os
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from controlplane.accounts.models import User
from controlplane.accounts.services import user_create


class Command(BaseCommand):
    """Make the user `admin` unless there is an administrator; print its password once, unless it was given."""

    help = "Make the first administrator, `admin`, with the password of LONGSHORE_ADMIN_PASSWORD or a random one."

    def handle(self, *args: Any, **options: Any) -> None:
        """See the class."""
        if User.objects.filter(grants__role__name="owner").exists():
            return
        given = os.environ.get("LONGSHORE_ADMIN_PASSWORD", "")
        if given and len(given) < 10:
            raise CommandError("LONGSHORE_ADMIN_PASSWORD must have at least 10 characters")
        password = given or secrets.token_urlsafe(15)
        user_create(username="admin", password=password, role="owner")
        if not given:
            self.stdout.write(password)
