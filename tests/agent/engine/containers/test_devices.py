"""Devices of the host: by path, by cgroup rule, and by name from CDI's specification files."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.engine.containers.oci import cdi
from agent.engine.containers.options import devices
from agent.engine.errors import Invalid, System
from tests.agent.engine.conftest import RunningEngine

SPEC: dict[str, Any] = {
    "cdiVersion": "0.6.0",
    "kind": "vendor.test/thing",
    "devices": [
        {"name": "zero", "containerEdits": {
            "deviceNodes": [{"path": "/dev/vendor0", "hostPath": "/dev/zero", "permissions": "r"}],
            "env": ["VENDOR=zero"], "additionalGids": [77],
        }},
        {"name": "other", "containerEdits": {"env": ["VENDOR=other"]}},
    ],
    "containerEdits": {
        "env": ["SHARED=1"], "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/vendor", "options": ["ro"]}],
    },
}  # fmt: skip
GPUS: dict[str, Any] = {
    "cdiVersion": "0.6.0",
    "kind": "nvidia.com/gpu",
    "devices": [{"name": name, "containerEdits": {"env": [f"GPU_{name}=1"]}} for name in ("0", "1", "all")],
}


def catalogue(directory: Path, **files: Any) -> cdi.Catalogue:
    for name, content in files.items():
        (directory / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return cdi.Catalogue([directory])


def request(**given: Any) -> list[dict[str, Any]]:
    return [given]


def test_json_and_yaml_are_read_and_a_broken_file_is_kept_apart(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("kind: a.test/b\ndevices:\n- name: c\n  containerEdits:\n    env: [X=1]\n")
    found = catalogue(tmp_path, vendor=SPEC, broken="{")
    assert set(found.devices) == {"vendor.test/thing=zero", "vendor.test/thing=other", "a.test/b=c"}
    assert len(found.faults) == 1
    with pytest.raises(System, match=r"unresolvable CDI devices a\.test/b=x.*broken\.json"):
        cdi.edits(["a.test/b=x"], found)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=1"]}, ["nvidia.com/gpu=1"]),
        ({"Count": -1, "Capabilities": [["gpu"]]}, ["nvidia.com/gpu=all"]),
        ({"Count": 1, "Capabilities": [["gpu", "utility"]]}, ["nvidia.com/gpu=0"]),
        ({"Driver": "nvidia", "DeviceIDs": ["1"], "Capabilities": [["gpu"]]}, ["nvidia.com/gpu=1"]),
    ],
)
def test_which_devices_are_meant(tmp_path: Path, given: dict[str, Any], expected: list[str]) -> None:
    assert cdi.names(request(**given), catalogue(tmp_path, gpus=GPUS)) == expected


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"Count": 3, "Capabilities": [["gpu"]]}, System, "could not select 3 of 2 nvidia.com/gpu devices"),
        ({"Driver": "amd", "Count": 1, "Capabilities": [["gpu"]]}, System, 'device driver "amd"'),
        ({"Capabilities": [["tpu"]]}, System, r'could not select device driver "" with capabilities: \[\[tpu\]\]'),
        ({"Driver": "cdi", "Count": 1}, Invalid, "unexpected count in CDI device request"),
        ({"Driver": "cdi", "Options": {"a": "b"}}, Invalid, "unexpected options in CDI device request"),
        ({"Count": 1, "DeviceIDs": ["0"]}, Invalid, "cannot set both Count and DeviceIDs"),
    ],
)
def test_which_cannot_be_had(tmp_path: Path, given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        cdi.names(request(**given), catalogue(tmp_path, gpus=GPUS))


def test_edits_change_the_specification(tmp_path: Path) -> None:
    wanted = ["vendor.test/thing=zero", "vendor.test/thing=other"]
    hook = {"hookName": "createContainer", "path": "/usr/bin/hook", "args": ["hook", "x"]}
    spec = json.loads(json.dumps(SPEC))
    spec["containerEdits"]["hooks"] = [hook]
    found = cdi.edits(wanted, catalogue(tmp_path, vendor=spec))
    document: dict[str, Any] = {
        "process": {"env": ["VENDOR=mine", "A=1"], "user": {"additionalGids": [0]}},
        "mounts": [],
        "linux": {"resources": {"devices": []}},
    }
    cdi.inject(document, found, devices.named(found))
    assert document["process"] == {"env": ["A=1", "SHARED=1", "VENDOR=other"], "user": {"additionalGids": [0, 77]}}
    assert [mount["destination"] for mount in document["mounts"]] == ["/vendor"]
    assert document["hooks"] == {"createContainer": [{"path": "/usr/bin/hook", "args": ["hook", "x"]}]}
    (node,) = document["linux"]["devices"]
    assert (node["path"], node["major"], node["minor"]) == ("/dev/vendor0", 1, 5)
    assert document["linux"]["resources"]["devices"] == [
        {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "r"}
    ]


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[None]:
    """A vendor's file where the engine looks for such; its device is a disk that nothing is behind."""
    node = tmp_path / "disk"
    os.mknod(node, 0o660 | stat.S_IFBLK, os.makedev(7, 200))
    spec = json.loads(json.dumps(SPEC))
    spec["devices"][0]["containerEdits"]["deviceNodes"][0]["hostPath"] = str(node)
    directory = cdi.DIRECTORIES[1]
    there = directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"ls-test-{os.getpid()}.json"
    path.write_text(json.dumps(spec))
    yield
    path.unlink()
    if not there:
        directory.rmdir()


def by_name(device: str) -> dict[str, Any]:
    """What ``--device NAME`` of the CLI asks for, which an old CLI does not know."""
    return {"HostConfig": {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": [device]}]}}


@pytest.mark.usefixtures("vendor")
def test_a_device_by_name(engine: RunningEngine) -> None:
    docker = engine.docker
    look = "echo $VENDOR $SHARED; id -G; cat /vendor; cat /dev/vendor0 2>&1 | grep -c permitted; echo x > /dev/vendor0"
    body = {"Image": "busy", "Cmd": ["sh", "-c", look], "AttachStdout": True, "AttachStderr": True}
    assert docker.api("POST", "/containers/create?name=aa", body | by_name("vendor.test/thing=zero"))[0] == 201
    (asked,) = docker.inspect("aa")["HostConfig"]["DeviceRequests"]
    assert (asked["Driver"], asked["DeviceIDs"]) == ("cdi", ["vendor.test/thing=zero"])
    done = docker("start -a aa")
    assert done.out.split()[:4] == ["zero", "1", "0", "77"]
    # It may be read, empty or not there at all, but not written.
    assert done.out.split()[-1] == "0"
    assert "Operation not permitted" in done.err
    assert Path("/etc/hostname").read_text().strip() in done.out


def test_there_is_no_such_device(engine: RunningEngine) -> None:
    docker = engine.docker
    body = {"Image": "busy", "Cmd": ["true"]}
    assert docker.api("POST", "/containers/create?name=aa", body | by_name("vendor.test/nosuch=x"))[0] == 201
    code, missing = docker.api("POST", "/containers/aa/start")
    assert (code, "unresolvable CDI devices vendor.test/nosuch=x" in missing["message"]) == (500, True)
    if not cdi.Catalogue().of_gpus():
        gpus = docker("run --rm --gpus all busy true")
        assert 'could not select device driver "" with capabilities: [[gpu]]' in gpus.err


def test_rules_and_permissions(engine: RunningEngine) -> None:
    docker = engine.docker
    body = {"Image": "busy", "HostConfig": {"Devices": [{"PathOnHost": "/dev/zero", "CgroupPermissions": "xyz"}]}}
    assert docker.api("POST", "/containers/create", body)[0] == 400
    docker.ok("create --name aa --device /dev/nosuch busy true")
    code, answer = docker.api("POST", "/containers/aa/start")
    assert (code, answer["message"]) == (
        500,
        'error gathering device information while adding custom device "/dev/nosuch": no such file or directory',
    )
    make = "sh -c 'mknod /tmp/d c 1 11 && echo x > /tmp/d && echo written'"
    assert docker(f"run --rm --cap-add MKNOD busy {make}").code != 0
    assert docker.ok(f"run --rm --cap-add MKNOD --device-cgroup-rule 'c 1:11 rwm' busy {make}") == "written"


def test_a_privileged_container_has_a_device_elsewhere_too(engine: RunningEngine) -> None:
    seen = engine.docker.ok("run --rm --privileged --device /dev/zero:/dev/mine busy stat -c %t:%T /dev/mine /dev/full")
    assert seen.split() == ["1:5", "1:7"]
