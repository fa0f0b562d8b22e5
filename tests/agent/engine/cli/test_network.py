"""Published ports, names on user networks, host and none."""

import json

import pytest

from tests.agent.engine.cli.docker import Docker, until

SERVE = "busy sh -c 'echo hello > /srv.html; httpd -f -p 80 -h /'"


@pytest.mark.both_clis
def test_trap_15_a_published_port_is_open_when_start_answers(docker: Docker) -> None:
    docker.ok(f"run -d --name web -p 8080:80 {SERVE}")
    assert docker.ok("port web 80/tcp").split("\n")[0] == "0.0.0.0:8080"
    out = until(lambda: docker("run --rm --network host busy wget -qO- http://127.0.0.1:8080/srv.html").out)
    assert out == "hello\n"


def test_trap_15_a_random_port_is_the_same_for_both_families(docker: Docker) -> None:
    docker.ok("run -d --name aa -p 80 busy sleep 600")
    bindings = docker.inspect("aa")["NetworkSettings"]["Ports"]["80/tcp"]
    assert {binding["HostIp"] for binding in bindings} == {"0.0.0.0", "::"}
    assert len({binding["HostPort"] for binding in bindings}) == 1


def test_a_port_that_is_taken(docker: Docker) -> None:
    docker.ok("run -d --name aa -p 8081:80 busy sleep 600")
    done = docker("run -d --name bb -p 8081:80 busy sleep 600")
    assert done.code == 125
    assert "port is already allocated" in done.err or "in use" in done.err
    assert not docker.inspect("bb")["State"]["Running"]


def test_names_on_a_user_network(docker: Docker) -> None:
    docker.ok("network create net")
    docker.ok(f"run -d --name web --network net --network-alias www {SERVE}")
    for name in ("web", "www"):
        line = f"run --rm --network net busy wget -qO- http://{name}/srv.html"
        assert until(lambda line=line: docker(line).out) == "hello\n"


def test_host_and_none(docker: Docker) -> None:
    assert docker.ok("run --rm --network none busy sh -c 'ls /sys/class/net'") == "lo"
    assert "lo" in docker.ok("run --rm --network host busy ls /sys/class/net").split()


def test_trap_10_a_network_is_returned_as_given(docker: Docker) -> None:
    docker.ok("network create --label a=b --subnet 10.77.0.0/24 --internal net")
    found = json.loads(docker.ok("network inspect net"))[0]
    assert (found["Labels"], found["Options"], found["Internal"]) == ({"a": "b"}, {}, True)
    assert found["IPAM"]["Config"][0]["Subnet"] == "10.77.0.0/24"
    docker.ok("run -d --name aa --network net --network-alias one busy sleep 600")
    docker.ok("network create other")
    docker.ok("network connect --alias two other aa")
    networks = docker.inspect("aa")["NetworkSettings"]["Networks"]
    assert "one" in networks["net"]["Aliases"]
    assert "two" in networks["other"]["Aliases"]
    docker.ok("network disconnect other aa")
    assert set(docker.inspect("aa")["NetworkSettings"]["Networks"]) == {"net"}
