"""``docker ps`` and its filters, ``docker events``, ``docker info``."""

import json
import time

import pytest

from tests.agent.engine.cli.docker import Docker


@pytest.fixture
def cast(docker: Docker) -> Docker:
    docker.ok("network create net")
    docker.ok("run -d --name run -l app=web -l tier=1 --network net busy sleep 600")
    docker.ok("run --name ok -l app=web busy true")
    docker("run --name bad -l app=db -v vol:/data busy sh -c 'exit 3'")
    docker.ok("create --name new busy")
    return docker


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("", "run"),
        ("-a", "new bad ok run"),
        ("-n 2", "new bad"),
        ("-l", "new"),
        ("-a -f label=app", "bad ok run"),
        ("-a -f label=app=web -f label=tier=1", "run"),
        ("-a -f status=created -f status=exited", "new bad ok"),
        ("-a -f exited=3", "bad"),
        ("-a -f name=ba", "bad"),
        ("-a -f network=net", "run"),
        ("-a -f volume=vol", "bad"),
        ("-a -f ancestor=busy", "new bad ok run"),
        ("-a -f before=bad", "ok run"),
    ],
)
def test_filters(cast: Docker, options: str, names: str) -> None:
    assert cast.ok(f"ps {options} --format '{{{{.Names}}}}'").split() == names.split()


def test_what_no_filter_knows(cast: Docker) -> None:
    assert "nosuch" in cast("ps -f nosuch=1").err
    assert "status=nosuch" in cast("ps -a -f status=nosuch").err
    for query in ("filters=bad", "filters=%7B%22nosuch%22%3A%5B%5D%7D", "limit=x"):
        assert cast.api("GET", f"/containers/json?{query}")[0] == 400


@pytest.mark.both_clis
def test_trap_5_events_since(docker: Docker) -> None:
    since = time.time()
    docker("run --name aa -l k=v busy sh -c 'exit 3'")
    docker.ok("rm aa")
    out = docker.ok(f"events --since {since:.9f} --until {time.time() + 0.1:.9f} --format '{{{{json .}}}}'")
    rows = [json.loads(line) for line in out.split("\n")]
    actions = [row["Action"] for row in rows if row["Type"] == "container"]
    assert actions == ["create", "attach", "start", "die", "destroy"]
    died = next(row for row in rows if row["Action"] == "die")
    assert died["Actor"]["Attributes"]["exitCode"] == "3"
    assert died["Actor"]["Attributes"]["k"] == "v"


@pytest.mark.both_clis
def test_info_version_and_df(docker: Docker) -> None:
    info = json.loads(docker.ok("info --format '{{json .}}'"))
    assert info["OSType"] == "linux"
    assert info["Driver"] == "overlay2"
    assert "linux" in docker.ok("version --format '{{.Server.Os}}'")
    assert docker.ok("system df").split("\n")[0].split()[0] == "TYPE"


def test_trap_6_versions(docker: Docker) -> None:
    assert docker.api("GET", "/v1.24/containers/json")[0] == 200
    status, answer = docker.api("GET", "/v9.99/version")
    assert status == 400
    assert answer["message"].startswith("client version 9.99 is too new. Maximum supported API version is 1.")
