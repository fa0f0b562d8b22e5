"""Types of JSON from outside: what Go's structs would refuse is refused, by the API and in images."""

import json
from typing import Any

import pytest

from agent.engine import shapes
from agent.engine.containers.options import config, hostconfig
from tests.agent.engine.conftest import RunningEngine

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"HostConfig": {"Memory": "64m"}}, "string into Go struct field HostConfig.Memory of type int64"),
    ({"HostConfig": {"Memory": 1.5}}, "number 1.5 into Go struct field HostConfig.Memory of type int64"),
    ({"HostConfig": {"Memory": 1 << 63}}, "number 9223372036854775808 into Go struct field HostConfig.Memory"),
    ({"HostConfig": {"PidsLimit": True}}, "bool into Go struct field HostConfig.PidsLimit of type int64"),
    ({"HostConfig": {"CpuShares": []}}, "array into Go struct field HostConfig.CpuShares of type int64"),
    ({"HostConfig": {"Binds": "x"}}, "string into Go struct field HostConfig.Binds of type []string"),
    ({"HostConfig": {"Binds": [1]}}, "number into Go struct field HostConfig.Binds of type string"),
    ({"HostConfig": {"Mounts": [{"Target": {}}]}}, "object into Go struct field HostConfig.Mounts.Target of"),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": 80}]}}}, "HostConfig.PortBindings.HostPort of"),
    ({"HostConfig": []}, "array into Go struct field HostConfig of type struct"),
    ({"Labels": {"a": 1}}, "number into Go struct field Labels of type string"),
    ({"Cmd": [1]}, "number into Go struct field Cmd of type string"),
    ({"Tty": "x"}, "string into Go struct field Tty of type bool"),
    ({"Healthcheck": {"Test": "x"}}, "string into Go struct field Healthcheck.Test of type []string"),
    ({"NetworkingConfig": {"EndpointsConfig": {"a": {"Aliases": 3}}}}, "EndpointsConfig.Aliases of type []string"),
]  # fmt: skip
NUMBERS = [float("nan"), float("inf"), float("-inf"), 1e30, 1.5, 10**20]


@pytest.mark.parametrize(("body", "words"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_a_wrong_type(body: dict[str, Any], words: str) -> None:
    assert words in shapes.wrong(body, shapes.CREATE)


def test_what_is_right() -> None:
    body = {
        "Image": "x", "Cmd": "one", "Entrypoint": ["a"], "Env": None, "Labels": {"a": "b"}, "Unknown": 7,
        "ExposedPorts": {"80/tcp": {}}, "StopTimeout": 3, "Healthcheck": {"Test": ["CMD", "x"], "Interval": 10**9},
        "HostConfig": {
            "Memory": 64 << 20, "MemorySwappiness": None, "ConsoleSize": [0, 0], "CapAdd": "ALL", "Init": None,
            "DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}], "Ulimits": [{"Name": "core", "Hard": -1}],
            "Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": [["exec"]]}}],
        },
    }  # fmt: skip
    assert shapes.wrong(body, shapes.CREATE) == ""


def test_every_option_has_a_type() -> None:
    assert {*hostconfig.DEFAULTS, *hostconfig._OPTIONAL} <= set(shapes.HOST_CONFIG)
    assert set(shapes.CONFIG) >= config.KEYS
    for key, default in hostconfig.DEFAULTS.items():
        assert shapes.wrong(default, shapes.HOST_CONFIG[key], key) == ""


def test_numbers_that_are_none_or_too_large(engine: RunningEngine) -> None:
    """None is stored: every later answer that held it would be no JSON to its reader."""
    docker = engine.docker
    for number in NUMBERS:
        for body in ({"HostConfig": {"Memory": number}}, {"Labels": {"a": number}}, {"x": number}):
            code, _ = docker.api("POST", "/v1.47/containers/create", {"Image": "busy", **body})
            assert code == 400, body
    docker.ok("run -d --name aa busy sleep 60")
    assert docker.api("POST", "/v1.47/containers/aa/update", {"Memory": float("nan")})[0] == 400
    assert docker.api("POST", "/v1.47/containers/aa/update", {"Memory": "1g"})[0] == 400
    assert len(docker.api("GET", "/containers/json?all=1")[1]) == 1
    assert json.dumps(docker.inspect("aa"), allow_nan=False)


def test_half_characters(engine: RunningEngine) -> None:
    """JSON can write them and UTF-8 cannot: once stored, no list could be answered any more. Go reads U+FFFD."""
    docker, half = engine.docker, "a\ud800"
    for path, body in (
        ("/containers/create?name=half", {"Image": "busy", "Cmd": ["true"], "Labels": {half: half}}),
        ("/volumes/create", {"Name": "half", "Labels": {half: half}}),
        ("/networks/create", {"Name": half, "Labels": {half: half}}),
    ):
        assert docker.api("POST", path, body)[0] == 201, path
    try:
        for path in ("/containers/json?all=1", "/volumes", "/networks", "/system/df"):
            code, answer = docker.api("GET", path)
            assert (code, "a\ufffd" in json.dumps(answer, ensure_ascii=False)) == (200, True), path
        assert docker.api("GET", "/containers/half/json")[1]["Config"]["Labels"] == {"a\ufffd": "a\ufffd"}
    finally:
        docker("network rm a\ufffd")
        docker("volume rm half")
    assert shapes.loads('{"a": "\\ud83d\\ude00 \\udc00"}') == {"a": "\U0001f600 \ufffd"}


@pytest.mark.parametrize(
    "ipam",
    [
        {"Config": 5}, {"Config": "x"}, {"Config": [1]}, {"Config": [{"Subnet": 5}]}, {"Config": [{"Gateway": {}}]},
        {"Config": [{"Subnet": "10.77.0.0/24", "AuxiliaryAddresses": "x"}]}, {"Options": {"a": 1}},
    ],
    ids=str,
)  # fmt: skip
def test_addresses_of_a_network(engine: RunningEngine, ipam: dict[str, Any]) -> None:
    code, answer = engine.docker.api("POST", "/networks/create", {"Name": "nn", "IPAM": ipam})
    assert (code, "cannot unmarshal" in answer["message"]) == (400, True)
