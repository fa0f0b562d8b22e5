"""From a record to the OCI specification."""

from typing import Any

import pytest

from agent.engine.containers.oci import spec
from agent.engine.containers.oci.spec import Prepared
from agent.engine.containers.oci.users import User
from agent.engine.containers.options import security
from agent.engine.containers.options.limits import Machine
from agent.engine.errors import Invalid
from agent.engine.state.records import MountPoint
from tests.agent.engine.containers.records import ID, record


def built(host: dict[str, Any] | None = None, prepared: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    given = {
        "rootfs": "/r", "cgroup": f"/p/{ID}", "cgroup_version": 1, "machine": Machine(cpus=2, memory=1 << 30),
        "pids_limit": 2048, "hostname": "h", "capabilities": security.DEFAULT_CAPABILITIES, "netns": "/run/netns/x",
    }  # fmt: skip
    return spec.build(record(host, **body), Prepared(**(given | (prepared or {}))))


def test_it_works() -> None:
    made = built(Cmd=["sh", "-c", "true"], Env=["A=1"], WorkingDir="/srv")
    assert made["process"]["args"] == ["sh", "-c", "true"]
    assert made["process"]["env"] == [f"PATH={spec.PATH}", "HOSTNAME=h", "A=1", "HOME=/"]
    assert (made["process"]["cwd"], made["hostname"], made["root"]["path"]) == ("/srv", "h", "/r")
    assert made["linux"]["cgroupsPath"] == f"/p/{ID}"
    assert made["linux"]["resources"]["pids"] == {"limit": 2048}
    assert {"type": "network", "path": "/run/netns/x"} in made["linux"]["namespaces"]


def test_same_input_same_document() -> None:
    assert built(Env=["A=1"]) == built(Env=["A=1"])


def test_capabilities_of_root_and_of_others() -> None:
    root = built()["process"]["capabilities"]
    assert root["bounding"] == root["effective"] == root["permitted"] == list(security.DEFAULT_CAPABILITIES)
    assert "inheritable" not in root
    assert "ambient" not in root
    other = built(prepared={"user": User(uid=1000)})["process"]["capabilities"]
    assert other["effective"] == other["permitted"] == []


def test_namespaces_of_the_host() -> None:
    shared = built({"PidMode": "host", "IpcMode": "host", "UTSMode": "host"}, {"netns": None})
    assert [entry["type"] for entry in shared["linux"]["namespaces"]] == ["mount"]
    assert "hostname" not in shared
    assert "cgroup" in {entry["type"] for entry in built({"CgroupnsMode": "private"})["linux"]["namespaces"]}


def test_privileged() -> None:
    made = built({"Privileged": True})
    assert made["linux"]["maskedPaths"] == made["linux"]["readonlyPaths"] == []
    assert made["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    options = {entry["destination"]: entry["options"] for entry in made["mounts"]}
    assert "ro" not in options["/sys"]
    assert "ro" in {entry["destination"]: entry["options"] for entry in built()["mounts"]}["/sys"]


def test_masks_are_the_union() -> None:
    masked = set(built()["linux"]["maskedPaths"])
    assert set(security.DOCKER_MASKED) < masked
    assert {"/proc/interrupts", "/sys/devices/virtual/powercap", "/sys/fs/selinux", "/sys/dev/block"} < masked
    assert built({"MaskedPaths": []})["linux"]["maskedPaths"] == []


def test_limits() -> None:
    made = built({"Memory": 64 << 20, "NanoCpus": 1_500_000_000, "PidsLimit": 20, "CpusetCpus": "0"})
    resources = made["linux"]["resources"]
    assert resources["memory"] == {"limit": 64 << 20, "swap": 128 << 20}
    assert resources["cpu"] == {"period": 100_000, "quota": 150_000, "cpus": "0"}
    assert resources["pids"] == {"limit": 20}
    assert "pids" not in built({"PidsLimit": -1})["linux"]["resources"]


def test_devices_are_denied_first() -> None:
    rules = built()["linux"]["resources"]["devices"]
    assert rules[0] == {"allow": False, "access": "rwm"}
    assert {(rule.get("major"), rule.get("minor")) for rule in rules if rule["allow"]} >= {(1, 3), (1, 5), (5, 0)}
    assert not any(rule["allow"] for rule in rules if rule.get("major") == 10)


def test_init_stands_before_the_program() -> None:
    made = built(prepared={"init": "/usr/bin/catatonit"}, Cmd=["sleep", "1"])
    assert made["process"]["args"] == ["/sbin/docker-init", "--", "sleep", "1"]
    assert any(entry["source"] == "/usr/bin/catatonit" for entry in made["mounts"])


def test_a_mount_of_the_client_covers_ours_and_inner_ones_come_later() -> None:
    points = (
        MountPoint("bind", "/a/b", "/x/y", propagation="rprivate"),
        MountPoint("bind", "/a", "/x", propagation="rslave", rw=False),
        MountPoint("tmpfs", "", "/dev/shm"),
    )
    made = built(prepared={"mounts": points})
    destinations = [entry["destination"] for entry in made["mounts"]]
    assert destinations.count("/dev/shm") == 1
    assert destinations.index("/x") < destinations.index("/x/y")
    assert made["linux"]["rootfsPropagation"] == "slave"
    outer = made["mounts"][destinations.index("/x")]
    assert outer["options"] == ["rbind", "rslave", "rro"]


def test_our_annotations_come_last() -> None:
    made = built({"Annotations": {"a": "b"}}, {"seccomp_compiled": "AAAA"})
    assert made["annotations"] == {"a": "b", "run.oci.seccomp_bpf_data": "AAAA"}


@pytest.mark.parametrize(
    "name", ["run.oci.seccomp_bpf_data", "run.oci.handler", "org.systemd.property.X", "io.podman.annotations.x"]
)
def test_s14_annotations_that_a_runtime_obeys(name: str) -> None:
    with pytest.raises(Invalid, match=name.replace(".", r"\.")):
        record({"Annotations": {name: "x"}})
