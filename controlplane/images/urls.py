"""Addresses of images."""

from django.urls import URLPattern, path

from controlplane.images import views

urlpatterns: list[URLPattern] = [
    path("images/", views.ImagesView.as_view()),
    path("images/pull/", views.PullView.as_view()),
    path("images/build/", views.BuildView.as_view()),
    path("images/prune/", views.PruneView.as_view()),
    path("images/<uuid:id>/", views.ImageView.as_view()),
    path("images/<uuid:id>/tag/", views.TagView.as_view()),
    path("images/<uuid:id>/push/", views.PushView.as_view()),
    path("images/<uuid:id>/history/", views.HistoryView.as_view()),
    path("images/<uuid:id>/used-by/", views.UsedByView.as_view()),
]
