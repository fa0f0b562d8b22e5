"""Django app of images."""

from django.apps import AppConfig


class ImagesConfig(AppConfig):
    """Label of the tables in `images/models.py`."""

    name = "controlplane.images"
    label = "images"
