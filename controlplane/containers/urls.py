"""Addresses of containers."""

from django.urls import URLPattern, path

from controlplane.containers import live, views
from controlplane.containers.serializers import KillOptions, StopOptions

_ONE = "containers/<uuid:id>"
urlpatterns: list[URLPattern] = [
    path("containers/", views.ContainersView.as_view()),
    path("containers/batch/", views.BatchView.as_view()),
    path(f"{_ONE}/", views.ContainerView.as_view()),
    path(f"{_ONE}/start/", views.verb_view("start").as_view()),
    path(f"{_ONE}/stop/", views.verb_view("stop", StopOptions).as_view()),
    path(f"{_ONE}/restart/", views.verb_view("restart", StopOptions).as_view()),
    path(f"{_ONE}/kill/", views.verb_view("kill", KillOptions).as_view()),
    path(f"{_ONE}/pause/", views.verb_view("pause").as_view()),
    path(f"{_ONE}/unpause/", views.verb_view("unpause").as_view()),
    path(f"{_ONE}/rename/", views.RenameView.as_view()),
    path(f"{_ONE}/commit/", views.CommitView.as_view()),
    path(f"{_ONE}/inspect/", live.InspectView.as_view()),
    path(f"{_ONE}/top/", live.TopView.as_view()),
    path(f"{_ONE}/logs/", live.LogsView.as_view()),
    path(f"{_ONE}/execs/", live.ExecsView.as_view()),
    path(f"{_ONE}/history/", live.HistoryView.as_view()),
]
