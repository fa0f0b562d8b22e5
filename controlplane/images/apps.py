"""Django app of images."""

from django.apps import AppConfig


class ImagesConfig(AppConfig):
    """Label of the tables in `images/models.py`."""

    name = "controlplane.images"
    label = "images"

    def ready(self) -> None:
        """Say what ends of orders mean here."""
        from controlplane.images.services import register

        register()
