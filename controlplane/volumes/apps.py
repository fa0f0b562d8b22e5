"""Django app of volumes."""

from django.apps import AppConfig


class VolumesConfig(AppConfig):
    """Label of the tables in `volumes/models.py`."""

    name = "controlplane.volumes"
    label = "volumes"

    def ready(self) -> None:
        """Say what ends of orders mean here."""
        from controlplane.volumes.services import register

        register()
