"""Addresses of the questions across apps."""

from django.urls import URLPattern, path
from drf_spectacular.views import SpectacularAPIView

from controlplane.overview import apipage, audit, health, search, stats, summary

urlpatterns: list[URLPattern] = [
    path("health/", health.HealthView.as_view()),
    path("ready/", health.ReadyView.as_view()),
    path("summary/", summary.SummaryView.as_view()),
    path("search/", search.SearchView.as_view()),
    path("audit/", audit.AuditView.as_view()),
    path("containers/<uuid:id>/stats/", stats.ContainerStatsView.as_view()),
    path("hosts/<uuid:id>/stats/", stats.HostStatsView.as_view()),
    path("docs/", apipage.api_page),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
]
