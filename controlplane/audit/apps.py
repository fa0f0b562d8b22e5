"""Django app of audit."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Label of the tables in `audit/models.py`."""

    name = "controlplane.audit"
    label = "audit"
