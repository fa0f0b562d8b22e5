"""Every address that Django answers."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from controlplane.fleet.agent_enrol import enrol
from controlplane.overview.pages import dashboard, problem_type

handler400 = "controlplane.common.problems.bad_request"
handler403 = "controlplane.common.problems.forbidden"
handler404 = "controlplane.common.problems.not_found"
handler500 = "controlplane.common.problems.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("agent/v1/enrol", enrol),
    path("api/", include("controlplane.accounts.urls")),
    path("api/", include("controlplane.orders.urls")),
    path("api/", include("controlplane.fleet.urls")),
    path("api/", include("controlplane.containers.urls")),
    path("api/", include("controlplane.images.urls")),
    path("api/", include("controlplane.volumes.urls")),
    path("api/", include("controlplane.networks.urls")),
    path("api/", include("controlplane.registry.urls")),
    path("api/", include("controlplane.overview.urls")),
    path("problems/<slug:code>/", problem_type),
    # The dashboard's own router reads every address that is not one of these.
    re_path(r"^(?!api/|agent/|v2/|ws/|docker/|static/|assets/|problems/)(?P<path>.*)$", dashboard),
]
