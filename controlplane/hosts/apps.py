"""Django app of hosts."""

from django.apps import AppConfig


class HostsConfig(AppConfig):
    """Label of the tables in `hosts/models.py`."""

    name = "controlplane.hosts"
    label = "hosts"
