"""Django app of volumes."""

from django.apps import AppConfig


class VolumesConfig(AppConfig):
    """Label of the tables in `volumes/models.py`."""

    name = "controlplane.volumes"
    label = "volumes"
