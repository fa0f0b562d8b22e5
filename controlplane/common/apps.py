"""Django app of what every other app builds on."""

from django.apps import AppConfig


class CommonConfig(AppConfig):
    """Label of the tables in `common/models.py`."""

    name = "controlplane.common"
    label = "common"
