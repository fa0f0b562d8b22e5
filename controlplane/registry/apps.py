"""Django's entry for the registry."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Records of what was pushed."""

    name = "controlplane.registry"
    label = "registry"
