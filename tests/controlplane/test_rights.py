"""Every route and who may use it. A route that is missing from the table fails."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from controlplane.accounts.models import User
from controlplane.audit.models import Entry
from controlplane.common.permissions import PUBLIC, SELF
from controlplane.common.views import ApiView
from controlplane.hosts.models import Host
from tests.controlplane import cast

pytestmark = pytest.mark.django_db

# method, path -> right
TABLE = {
    line.rsplit(maxsplit=1)[0]: line.split()[-1]
    for line in """
    GET containers/ containers.view
    POST containers/ containers.create
    POST containers/batch/ containers.view
    GET containers/ID/ containers.view
    PATCH containers/ID/ containers.create
    DELETE containers/ID/ containers.remove
    POST containers/ID/start/ containers.operate
    POST containers/ID/stop/ containers.operate
    POST containers/ID/restart/ containers.operate
    POST containers/ID/kill/ containers.operate
    POST containers/ID/pause/ containers.operate
    POST containers/ID/unpause/ containers.operate
    POST containers/ID/rename/ containers.create
    POST containers/ID/commit/ containers.create
    GET containers/ID/inspect/ containers.view
    GET containers/ID/top/ containers.view
    GET containers/ID/logs/ containers.logs
    POST containers/ID/execs/ containers.exec
    GET containers/ID/history/ containers.view
    GET containers/ID/stats/ containers.view
    GET images/ images.view
    POST images/pull/ images.pull
    POST images/build/ images.build
    POST images/prune/ images.remove
    GET images/ID/ images.view
    DELETE images/ID/ images.remove
    POST images/ID/tag/ images.build
    POST images/ID/push/ images.build
    GET images/ID/history/ images.view
    GET images/ID/used-by/ images.view
    GET volumes/ volumes.view
    POST volumes/ volumes.manage
    GET volumes/ID/ volumes.view
    DELETE volumes/ID/ volumes.manage
    GET networks/ networks.view
    POST networks/ networks.manage
    GET networks/ID/ networks.view
    DELETE networks/ID/ networks.manage
    POST networks/ID/connect/ networks.manage
    POST networks/ID/disconnect/ networks.manage
    GET hosts/ hosts.view
    GET hosts/ID/ hosts.view
    PATCH hosts/ID/ hosts.manage
    POST hosts/ID/revoke/ hosts.manage
    POST hosts/ID/prune/ hosts.manage
    POST hosts/ID/refresh/ hosts.manage
    GET hosts/ID/stats/ hosts.view
    GET enrolments/ hosts.enrol
    POST enrolments/ hosts.enrol
    GET enrolments/ID/ hosts.enrol
    DELETE enrolments/ID/ hosts.enrol
    GET events/ hosts.view
    GET audit/ audit.view
    GET orders/ self
    GET orders/ID/ self
    GET orders/ID/lines/ self
    POST orders/ID/cancel/ orders.cancel
    POST orders/ID/retry/ self
    GET me/ self
    PATCH me/ self
    GET me/rights/ self
    GET tokens/ self
    POST tokens/ self
    GET tokens/ID/ self
    DELETE tokens/ID/ self
    GET summary/ self
    GET search/ self
    GET health/ public
    GET ready/ public
    GET repositories/ registry.pull
    GET repositories/ID/tags/ registry.pull
    DELETE repositories/ID/tags/TAG/ registry.manage
    GET repositories/ID/manifests/DIGEST/ registry.pull
    DELETE repositories/ID/manifests/DIGEST/ registry.manage
    POST repositories/gc/ registry.manage
    """.strip().splitlines()
    if line.strip()
}
TABLE = {" ".join(key.split()): right for key, right in TABLE.items()}
# Not REST views of ours: who may use them, in words; each has tests of its own.
OTHERS = {
    "agent/v1/enrol": "whoever holds a join string",
    "api/auth/browser/v1/config": "anybody",
    "api/auth/browser/v1/auth/session": "anybody, about their own session",
    "api/auth/browser/v1/auth/login": "anybody, throttled",
    "api/auth/browser/v1/account/password/change": "a session, with the old password",
    "api/docs/": "anybody",
    "api/schema/": "anybody",
    "problems/<slug:code>/": "anybody",
    "^(?!api/|agent/|v2/|ws/|docker/|static/|assets/|problems/)(?P<path>.*)$": "anybody: the page itself holds no data",
}


def routes() -> Iterator[tuple[str, Any]]:
    """Every address of the URL configuration with its view."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for entry in patterns:
            path = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                yield from walk(entry.url_patterns, path)
            elif isinstance(entry, URLPattern):
                yield path, getattr(entry.callback, "cls", entry.callback)

    yield from walk(get_resolver().url_patterns, "")


def plain(path: str) -> str:
    """`api/containers/<uuid:id>/` as the table writes it."""
    path = re.sub(r"<(\w+:)?id>", "ID", path.removeprefix("api/"))
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: found.group(1).upper(), path)


def test_every_route_is_in_the_table() -> None:
    declared = {}
    for path, view in routes():
        if isinstance(view, type) and issubclass(view, ApiView):
            for method, operation in view.operations.items():
                declared[f"{method} {plain(path)}"] = operation.right
                assert operation.action or method == "GET", f"{method} {path} leaves no row in the trail"
        else:
            assert path in OTHERS, f"{path} is in no table of rights"
    assert declared == {key: right for key, right in TABLE.items() if key in declared or "repositories" not in key}


def called(api: cast.Api, key: str) -> int:
    """The status of a call with no body to an object that does not exist."""
    method, path = key.split()
    path = path.replace("ID", str(uuid.uuid4())).replace("TAG", "latest").replace("DIGEST", "sha256:" + "0" * 64)
    return int(api(method, path).status_code)


def present() -> list[str]:
    """Rows of the table whose routes are mounted."""
    mounted = {plain(path) for path, _ in routes()}
    return [key for key in TABLE if key.split()[1] in mounted]


def test_anonymous_gets_nothing_but_health() -> None:
    anonymous = cast.Api(None)
    for key in present():
        if TABLE[key] != PUBLIC:
            assert called(anonymous, key) == 401, key


def test_a_viewer_may_look_and_no_more(viewer: User) -> None:
    looks = {"hosts.view", "containers.view", "containers.logs", "images.view", "volumes.view", "networks.view",
             "registry.pull", PUBLIC, SELF}  # fmt: skip
    api = cast.Api(viewer)
    for key in present():
        status = called(api, key)
        assert (status == 403) == (TABLE[key] not in looks), f"{key}: {status}"


def test_the_owner_may_do_all_of_it(api: cast.Api) -> None:
    for key in present():
        assert called(api, key) not in {401, 403}, key


def test_a_disabled_user_and_its_tokens_are_nobody(owner: User) -> None:
    api = cast.Api(owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    for key in present():
        if TABLE[key] != PUBLIC:
            assert called(api, key) == 401, key


def test_a_session_without_its_csrf_token_changes_nothing(owner: User) -> None:
    api = cast.Api(None)
    api.client = Client(enforce_csrf_checks=True)
    api.client.force_login(owner, "allauth.account.auth_backends.AuthenticationBackend")
    for key in present():
        if not key.startswith("GET"):
            assert called(api, key) == 403, key


def test_keys_of_hosts_and_of_the_registry_open_nothing_here(host: Host) -> None:
    from controlplane.registry import tokens

    registry = tokens.issue(["hello"], ("pull", "push"), f"host:{host.pk}")
    for credential in (f"Bearer {registry}", f"Bearer {host.public_key}", "Basic YWdlbnQ6eA=="):
        stranger = cast.Api(None)
        stranger.headers["Authorization"] = credential
        for key in present():
            if TABLE[key] != PUBLIC:
                assert called(stranger, key) == 401, key


def test_rights_on_one_host_stay_there(host: Host) -> None:
    other = cast.online_host("web-2")
    own, foreign = cast.running(host), cast.running(other)
    api = cast.Api(cast.person("eve", "owner", host))
    assert [row["id"] for row in api("GET", "containers/").data["results"]] == [str(own.pk)]
    assert api("GET", f"containers/{own.pk}/").status_code == 200
    assert api("GET", f"containers/{foreign.pk}/").status_code == 404
    assert api("POST", f"containers/{foreign.pk}/stop/").status_code == 404
    assert api("GET", f"hosts/{other.pk}/").status_code == 404
    assert api("POST", "containers/", {"host": "web-2", "image": "nginx"}).status_code == 404
    assert api("GET", "enrolments/").status_code == 403
    assert api("GET", "search/?q=db").data["groups"][0]["results"][0]["host"] == "web-1"
    assert api("GET", "summary/").data["counts"]["containers"] == 1


def test_a_visible_object_names_the_missing_right(viewer: User, host: Host) -> None:
    answer = cast.Api(viewer)("POST", f"containers/{cast.running(host).pk}/stop/")
    assert (answer.status_code, answer.data["detail"]) == (403, "Needs containers.operate")


@pytest.mark.parametrize(
    "spec",
    [
        {"HostConfig": {"Privileged": True}},
        {"HostConfig": {"Binds": ["/:/host"]}},
        {"HostConfig": {"Binds": ["/proc:/host/proc"]}},
        {"HostConfig": {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}},
        {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]}},
        {
            "HostConfig": {
                "Mounts": [
                    {
                        "Type": "volume",
                        "Source": "v",
                        "Target": "/x",
                        "VolumeOptions": {"DriverConfig": {"Name": "rclone", "Options": {"remote": ":local:/"}}},
                    }
                ]
            }
        },
        {"HostConfig": {"PidMode": "host"}},
        {"HostConfig": {"NetworkMode": "container:db"}},
        {"HostConfig": {"PidMode": "container:db"}},
        {"HostConfig": {"IpcMode": "container:db"}},
        {"HostConfig": {"IpcMode": "host"}},
        {"HostConfig": {"UsernsMode": "host"}},
        {"HostConfig": {"Devices": [{"PathOnHost": "/dev/sda"}]}},
        {"HostConfig": {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/gpu=0"]}]}},
        {"HostConfig": {"DeviceCgroupRules": ["c 10:229 rwm"]}},
        {"HostConfig": {"SecurityOpt": ["writable-cgroups=true"]}},
        {"HostConfig": {"Runtime": "other"}},
        {"HostConfig": {"OomScoreAdj": -500}},
        {"HostConfig": {"CapAdd": ["SYS_ADMIN"]}},
        {"HostConfig": {"SecurityOpt": ["seccomp=unconfined"]}},
        {"HostConfig": {"Annotations": {"run.oci.seccomp_bpf_data": "x"}}},
    ],
)
def test_s11_past_the_walls_needs_privileged(owner: User, host: Host, spec: dict[str, Any]) -> None:
    scopes = ["containers.create", "containers.view", "hosts.view"]
    body = {"host": "web-1", "image": "nginx", "spec": spec}
    refused = cast.Api(owner, scopes=scopes)("POST", "containers/", body)
    assert refused.status_code == 403
    assert "containers.privileged" in refused.data["detail"]
    assert cast.Api(owner)("POST", "containers/", body).status_code == 202
    # Both tries are in the trail.
    assert list(Entry.objects.order_by("seq").values_list("action", "result"))[-2:] == [
        ("container.create", Entry.Result.REFUSED),
        ("container.create", Entry.Result.ACCEPTED),
    ]


@pytest.mark.parametrize(
    "mount",
    [
        {"Type": "image", "Source": "busybox", "Target": "/x", "ImageOptions": {"Subpath": "etc"}},
        {"Type": "volume", "Source": "v", "Target": "/x", "VolumeOptions": {"Subpath": "etc"}},
        {"Type": "volume", "Source": "v", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "rclone"}}},
        {"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"Options": [["exec"]]}},
    ],
)
def test_mounts_within_the_walls_need_no_more(owner: User, host: Host, mount: dict[str, Any]) -> None:
    body = {"host": "web-1", "image": "nginx", "spec": {"HostConfig": {"Mounts": [mount]}}}
    api = cast.Api(owner, scopes=["containers.create", "containers.view", "hosts.view"])
    assert api("POST", "containers/", body).status_code == 202


def test_pages_of_the_dashboard_need_no_rights() -> None:
    assert Client().get("/containers").status_code in {200, 503}
    assert Client().get("/api/nothing/").status_code == 404
