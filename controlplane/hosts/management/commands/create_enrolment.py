"""`manage.py create_enrolment NAME`: a join string, for a script that adds a host."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from controlplane.audit.services import entry_add
from controlplane.common.errors import Refusal
from controlplane.common.views import Note
from controlplane.hosts.services import enrolment_create


class Command(BaseCommand):
    """Print a join string once; it is good for 15 minutes and for one host."""

    help = "Print a join string for a new host, once."

    def add_arguments(self, parser: CommandParser) -> None:
        """NAME."""
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        """See the class."""
        try:
            enrolment, join_string = enrolment_create(name=options["name"], labels={}, created_by="manage.py")
        except Refusal as refusal:
            raise CommandError(refusal.detail) from None
        host = enrolment.host
        note = Note("host", str(host.pk), host.name, host.pk, host.name)
        entry_add(access=None, action="enrolment.create", note=note)
        self.stdout.write(join_string)
