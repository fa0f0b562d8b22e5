"""Django app of containers."""

from django.apps import AppConfig


class ContainersConfig(AppConfig):
    """Label of the tables in `containers/models.py`."""

    name = "controlplane.containers"
    label = "containers"
