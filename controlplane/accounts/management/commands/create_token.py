"""`manage.py create_token USER --name N`: an API token for CI and scripts."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from controlplane.accounts.models import User
from controlplane.accounts.serializers import DEFAULT_DAYS
from controlplane.accounts.services import token_create
from controlplane.audit.services import entry_add
from controlplane.common.errors import Refusal
from controlplane.common.views import Note


class Command(BaseCommand):
    """Print a new token once; only its hash is kept."""

    help = "Print a new API token of a user, once."

    def add_arguments(self, parser: CommandParser) -> None:
        """USER --name N [--scope S …] [--days D]."""
        parser.add_argument("user")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--scope", action="append", default=[], help="a right; repeat for more; default: all of the user's"
        )
        parser.add_argument("--days", type=int, default=DEFAULT_DAYS)

    def handle(self, *args: Any, **options: Any) -> None:
        """See the class."""
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}")
        ends = timezone.now() + timedelta(days=options["days"])
        try:
            token, text = token_create(user=user, name=options["name"], scopes=options["scope"], expires_at=ends)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None
        note = Note(target_type="apitoken", target_id=str(token.pk), target_name=f"{user.username}: {token.name}")
        entry_add(access=None, action="token.create", note=note)
        self.stdout.write(text)
