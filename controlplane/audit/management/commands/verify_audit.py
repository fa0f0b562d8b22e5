"""`manage.py verify_audit`: whether anybody changed the trail."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from controlplane.audit.models import Entry
from controlplane.audit.services import verify


class Command(BaseCommand):
    """Walk the whole trail; fail at the first row that does not follow from the one before."""

    help = "Check that the audit trail is whole."

    def handle(self, *args: Any, **options: Any) -> None:
        """See the class."""
        broken = verify()
        if broken is not None:
            raise CommandError(f"The trail was changed at row {broken}")
        self.stdout.write(f"The trail is whole: {Entry.objects.count()} rows")
