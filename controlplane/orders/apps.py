"""Django app of orders."""

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    """Label of the tables in `orders/models.py`."""

    name = "controlplane.orders"
    label = "orders"
