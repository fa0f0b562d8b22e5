"""Addresses of hosts, enrolments and events."""

from django.urls import URLPattern, path

from controlplane.fleet import views

urlpatterns: list[URLPattern] = [
    path("hosts/", views.HostsView.as_view()),
    path("hosts/<uuid:id>/", views.HostView.as_view()),
    path("hosts/<uuid:id>/revoke/", views.RevokeView.as_view()),
    path("hosts/<uuid:id>/prune/", views.PruneView.as_view()),
    path("hosts/<uuid:id>/refresh/", views.RefreshView.as_view()),
    path("enrolments/", views.EnrolmentsView.as_view()),
    path("enrolments/<uuid:id>/", views.EnrolmentView.as_view()),
    path("events/", views.EventsView.as_view()),
]
