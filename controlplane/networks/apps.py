"""Django app of networks."""

from django.apps import AppConfig


class NetworksConfig(AppConfig):
    """Label of the tables in `networks/models.py`."""

    name = "controlplane.networks"
    label = "networks"

    def ready(self) -> None:
        """Say what ends of orders mean here."""
        from controlplane.networks.services import register

        register()
