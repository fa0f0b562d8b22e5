"""Django app of networks."""

from django.apps import AppConfig


class NetworksConfig(AppConfig):
    """Label of the tables in `networks/models.py`."""

    name = "controlplane.networks"
    label = "networks"
