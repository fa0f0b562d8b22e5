"""Django app of telemetry."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    """Label of the tables in `telemetry/models.py`."""

    name = "controlplane.telemetry"
    label = "telemetry"
