"""Django app of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Label of the tables in `accounts/models.py`."""

    name = "controlplane.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Make the schema's extension known."""
        from controlplane.accounts import schema  # noqa: F401
