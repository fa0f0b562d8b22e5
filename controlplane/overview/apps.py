"""Django app of the questions across apps; it has no tables, only the task of retention."""

from django.apps import AppConfig


class OverviewConfig(AppConfig):
    """Found by Celery for its tasks."""

    name = "controlplane.overview"
    label = "overview"
