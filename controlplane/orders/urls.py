"""Addresses of orders."""

from django.urls import URLPattern, path

from controlplane.orders import views

urlpatterns: list[URLPattern] = [
    path("orders/", views.OrdersView.as_view()),
    path("orders/<uuid:id>/", views.OrderView.as_view()),
    path("orders/<uuid:id>/lines/", views.LinesView.as_view()),
    path("orders/<uuid:id>/cancel/", views.CancelView.as_view()),
    path("orders/<uuid:id>/retry/", views.RetryView.as_view()),
]
