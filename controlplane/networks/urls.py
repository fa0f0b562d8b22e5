"""Addresses of networks."""

from django.urls import URLPattern, path

from controlplane.networks import views

urlpatterns: list[URLPattern] = [
    path("networks/", views.NetworksView.as_view()),
    path("networks/<uuid:id>/", views.NetworkView.as_view()),
    path("networks/<uuid:id>/connect/", views.ConnectView.as_view()),
    path("networks/<uuid:id>/disconnect/", views.DisconnectView.as_view()),
]
