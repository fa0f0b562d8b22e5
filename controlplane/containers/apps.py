"""Django app of containers."""

from django.apps import AppConfig


class ContainersConfig(AppConfig):
    """Label of the tables in `containers/models.py`."""

    name = "controlplane.containers"
    label = "containers"

    def ready(self) -> None:
        """Say what ends of orders mean here."""
        from controlplane.containers.services.outcomes import register

        register()
