"""Addresses of volumes."""

from django.urls import URLPattern, path

from controlplane.volumes import views

urlpatterns: list[URLPattern] = [
    path("volumes/", views.VolumesView.as_view()),
    path("volumes/<uuid:id>/", views.VolumeView.as_view()),
]
