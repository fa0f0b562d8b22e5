"""Addresses of repositories. `/v2/` is plain ASGI: see app.py."""

from django.urls import URLPattern, path

from controlplane.registry import views

urlpatterns: list[URLPattern] = [
    path("repositories/", views.RepositoriesView.as_view()),
    path("repositories/gc/", views.CollectView.as_view()),
    path("repositories/<uuid:id>/tags/", views.TagsView.as_view()),
    path("repositories/<uuid:id>/tags/<str:tag>/", views.TagView.as_view()),
    path("repositories/<uuid:id>/manifests/<str:digest>/", views.ManifestView.as_view()),
]
