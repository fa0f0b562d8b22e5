"""The allow-list of streams: what is on it passes, all else is refused by name."""

import pytest

from agent.link.pipes import ROUTES, find_route
from agent.link.policy import Denied


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/containers/abc/logs", "logs"),
        ("GET", "/containers/abc/stats", "stats"),
        ("GET", "/images/json", "image list"),
        ("GET", "/images/localhost:5000/a/b:1/json", "inspect image"),
        ("GET", "/images/sha256:abc/history", "image history"),
        ("POST", "/exec/abc/start", "exec start"),
        ("PUT", "/containers/abc/archive", "archive put"),
        ("GET", "/system/df", "disk usage"),
    ],
)
def test_it_works(method: str, path: str, name: str) -> None:
    assert find_route({"method": method, "path": path, "query": {}})[0].name == name


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/create"), ("POST", "/containers/abc/start"), ("DELETE", "/containers/abc"),
        ("POST", "/containers/abc/kill"), ("POST", "/images/create"), ("POST", "/build"), ("POST", "/commit"),
        ("GET", "/containers/abc/export"), ("GET", "/images/get"), ("GET", "/images/x/get"), ("GET", "/info"),
        ("GET", "/containers/../info"), ("GET", "/images/../containers/abc/json"), ("GET", "/images/a//b/json"),
        ("GET", "/v1.41/containers/abc/logs"), ("GET", "/containers/a%2fb/logs"), ("GET", "/containers/abc/logs?x=1"),
        ("GET", "/containers/abc/logs HTTP/1.1\r\nX: y"), ("POST", "/session"), ("POST", "/grpc"), ("GET", "/secrets"),
        ("POST", "/volumes/create"), ("POST", "/networks/x/connect"),
        ("POST", "/containers/abc/update"), ("get", "/events"),
    ],
)  # fmt: skip
def test_all_else_is_refused(method: str, path: str) -> None:
    with pytest.raises(Denied) as caught:
        find_route({"method": method, "path": path, "query": {}})
    assert caught.value.rule == "allow_list"


@pytest.mark.parametrize(
    "head",
    [{}, {"method": 1, "path": "/events"}, {"method": "GET", "path": "/events", "query": "x"},
     {"method": "GET", "path": "/events", "query": {"evil": 1}}],
)  # fmt: skip
def test_a_head_that_is_none_is_refused(head: dict[str, object]) -> None:
    with pytest.raises(Denied):
        find_route(head)


def test_nothing_on_the_list_changes_an_object_of_the_engine() -> None:
    """Exec sessions and files inside a container aside."""
    for route in ROUTES:
        if route.method not in {"GET", "HEAD"}:
            assert route.name.startswith(("exec", "archive", "attach", "resize")), route
