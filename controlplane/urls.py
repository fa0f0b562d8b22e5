"""Every address that Django answers."""

from django.urls import URLPattern, URLResolver, include, path

handler400 = "controlplane.common.problems.bad_request"
handler403 = "controlplane.common.problems.forbidden"
handler404 = "controlplane.common.problems.not_found"
handler500 = "controlplane.common.problems.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("controlplane.accounts.urls")),
]
