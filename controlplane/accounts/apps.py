"""Django app of accounts."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Label of the tables in `accounts/models.py`."""

    name = "controlplane.accounts"
    label = "accounts"
