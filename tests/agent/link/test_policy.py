"""The host-local policy: every rule refuses by its name, and a file that cannot be trusted forbids everything."""

import os
from pathlib import Path
from typing import Any

import pytest

from agent.link.policy import Denied, Policy, read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def policy(file: Path, text: str) -> Policy:
    file.write_text(text)
    file.chmod(0o644)
    return Policy(file)


def create(**host: Any) -> dict[str, Any]:
    return {"id": "1", "image": "x", "spec": {"HostConfig": host}}


def test_no_file_forbids_nothing(file: Path) -> None:
    Policy(file).check_order("container.create", create(Privileged=True, Binds=["/:/host"]))


@pytest.mark.parametrize(
    "host",
    [
        {"Privileged": True}, {"CapAdd": ["SYS_ADMIN"]}, {"PidMode": "host"}, {"NetworkMode": "host"},
        {"IpcMode": "host"}, {"UTSMode": "host"}, {"UsernsMode": "host"}, {"CgroupnsMode": "host"},
        {"Devices": [{"PathOnHost": "/dev/sda"}]}, {"DeviceCgroupRules": ["a *:* rwm"]},
        {"SecurityOpt": ["seccomp=unconfined"]}, {"SecurityOpt": ["no-new-privileges", "apparmor:unconfined"]},
        {"CgroupParent": "/"}, {"Runtime": "other"}, {"Sysctls": {"kernel.sem": "1"}}, {"DeviceRequests": [{}]},
        {"MaskedPaths": []}, {"ReadonlyPaths": []}, {"Annotations": {"run.oci.x": "y"}},
        {"PidMode": "container:db"}, {"IpcMode": "container:db"}, {"NetworkMode": "container:db"},
        {"SecurityOpt": ["writable-cgroups=true"]}, {"SecurityOpt": ["label=disable"]}, {"OomScoreAdj": -500},
        {"OomKillDisable": True}, {"CpuRealtimeRuntime": 1000}, {"Cgroup": "container:db"},
        {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/gpu=0"]}]},
        {"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "unix:///run/any"}}},
        {"LogConfig": {"Type": "fluentd"}},
    ],
)  # fmt: skip
def test_no_privileged(file: Path, host: dict[str, Any]) -> None:
    with pytest.raises(Denied) as caught:
        policy(file, "privileged = false").check_order("container.create", create(**host))
    assert caught.value.rule == "privileged"


def test_no_privileged_lets_the_default_through(file: Path) -> None:
    host = {"Privileged": False, "CapAdd": None, "CapDrop": ["ALL"], "NetworkMode": "bridge", "PidMode": "",
            "SecurityOpt": ["no-new-privileges"], "Memory": 1 << 26, "OomScoreAdj": 100, "Links": ["db:db"],
            "LogConfig": {"Type": "journald", "Config": {"tag": "x"}},
            "IpcMode": "shareable", "BlkioDeviceReadBps": [{"Path": "/dev/vda", "Rate": 1}]}  # fmt: skip
    policy(file, "privileged = false").check_order("container.create", create(**host))


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": ["/etc:/x"]}, {"Binds": ["/srv/../etc:/x"]}, {"Binds": ["/srvx:/x"]}, {"Binds": ["./x:/x"]},
        {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/x"}]}, {"VolumesFrom": ["other"]},
        {"Mounts": [{"Type": "volume", "Source": "v", "VolumeOptions": {
            "DriverConfig": {"Options": {"type": "none", "o": "bind", "device": "/etc"}}}}]},
        {"Mounts": ["/etc"]},
        {"Mounts": [{"Type": "npipe", "Source": "/etc"}]}, {"Mounts": [{"Type": "Image", "Source": "/etc"}]},
        {"Mounts": [{"Type": "volume", "Source": "v", "VolumeOptions": {
            "Subpath": "x", "DriverConfig": {"Name": "rclone", "Options": {"remote": ":local:/"}}}}]},
    ],
)  # fmt: skip
def test_bind_paths(file: Path, host: dict[str, Any]) -> None:
    with pytest.raises(Denied) as caught:
        policy(file, 'bind_paths = ["/srv"]').check_order("container.create", create(**host))
    assert caught.value.rule == "bind_paths"


def test_a_link_does_not_lead_out_of_an_allowed_path(file: Path, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "out").symlink_to("/etc")
    rules = policy(file, f'bind_paths = ["{allowed}"]')
    rules.check_order("container.create", create(Binds=[f"{allowed}/data:/x", "named:/y"]))
    with pytest.raises(Denied):
        rules.check_order("container.create", create(Binds=[f"{allowed}/out:/x"]))


def test_a_volume_is_no_way_round_bind_paths(file: Path) -> None:
    rules = policy(file, 'bind_paths = ["/srv"]')
    rules.check_order("volume.create", {"name": "v"})
    rules.check_order("volume.create", {"name": "v", "driver_opts": {"type": "tmpfs", "device": "tmpfs"}})
    rules.check_order("volume.create", {"name": "v", "driver_opts": {"size": "1g"}})
    rules.check_order("container.create", create(Mounts=[{"Type": "image", "Source": "busybox", "Target": "/x"}]))
    with pytest.raises(Denied):
        rules.check_order("volume.create", {"name": "v", "driver": "rclone", "driver_opts": {"remote": ":local:/"}})
    for options in ({"type": "none", "o": "bind", "device": "/etc"}, {"type": "nfs", "device": ":/x"}):
        with pytest.raises(Denied):
            rules.check_order("volume.create", {"name": "v", "driver_opts": options})


@pytest.mark.parametrize(
    "options",
    [
        # what "bind" makes of it, whatever the type says
        {"type": "tmpfs", "o": "bind", "device": "/etc"}, {"type": "tmpfs", "o": "ro,rbind", "device": "/etc"},
        # other options that name a path
        {"type": "overlay", "o": "lowerdir=/etc:/srv", "device": "/srv"},
        {"type": "ext4", "device": "/srv/disk"}, {"o": "bind", "device": "/srv/../etc"},
    ],
)  # fmt: skip
def test_no_kind_of_volume_reaches_another_path(file: Path, options: dict[str, str]) -> None:
    rules = policy(file, 'bind_paths = ["/srv"]')
    with pytest.raises(Denied) as caught:
        rules.check_order("volume.create", {"name": "v", "driver_opts": options})
    assert caught.value.rule == "bind_paths"


def test_a_volume_on_an_allowed_path(file: Path) -> None:
    rules = policy(file, 'bind_paths = ["/srv"]')
    options = {"type": "none", "o": "bind,ro", "device": "/srv/data"}
    rules.check_order("volume.create", {"name": "v", "driver_opts": options})
    with pytest.raises(Denied):
        rules.check_order("volume.create", {"name": "v", "driver": "plugin", "driver_opts": options})


@pytest.mark.parametrize(
    "spec",
    [
        {"hostconfig": {"Privileged": True}}, {"HostConfig": {"privileged": True}}, {"HostConfig": {"CAPADD": ["ALL"]}},
        # Go folds these to s and k
        {"Ho\u017ftConfig": {}}, {"HostConfig": {"Ma\u017fkedPaths": []}}, {"HostConfig": {"Mas\u212aedPaths": []}},
        {"HostConfig": {"binds": ["/etc:/x"]}}, {"HostConfig": {"Mounts": [{"type": "bind", "source": "/"}]}},
        {"HostConfig": {"LogConfig": {"type": "fluentd"}}},
        {"HostConfig": {"Mounts": [{"Type": "volume", "volumeOptions": {}}]}}, {"HostConfig": "x"},
    ],
)  # fmt: skip
def test_names_in_another_spelling_are_no_way_round(file: Path, spec: dict[str, Any]) -> None:
    """dockerd takes the names of a JSON object in any case."""
    Policy(file).check_order("container.create", {"spec": spec})
    with pytest.raises(Denied):
        policy(file, 'privileged = false\nbind_paths = ["/srv"]').check_order("container.create", {"spec": spec})


@pytest.mark.parametrize(
    "network",
    [
        {"Driver": "macvlan"}, {"Driver": "ipvlan", "Options": {"parent": "eth0"}}, {"ConfigFrom": {"Network": "x"}},
        {"Options": {"com.docker.network.bridge.name": "br0"}}, {"driver": "macvlan"}, {"OPTIONS": {"parent": "eth0"}},
        {"Options": {"com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected"}}, {"Options": ["parent"]},
    ],
)  # fmt: skip
def test_no_privileged_keeps_networks_off_the_hosts_links(file: Path, network: dict[str, Any]) -> None:
    with pytest.raises(Denied):
        policy(file, "privileged = false").check_order("network.create", {"network": network})
    policy(file, "").check_order("network.create", {"network": network})


def test_no_privileged_lets_a_bridge_through(file: Path) -> None:
    network = {"Driver": "bridge", "Internal": True, "Options": {"com.docker.network.driver.mtu": "1400"}}
    policy(file, "privileged = false").check_order("network.create", {"network": network})


def test_no_exec(file: Path) -> None:
    rules = policy(file, "exec = false")
    rules.check_stream("logs", changes=False, enters=False)
    with pytest.raises(Denied) as caught:
        rules.check_stream("exec start", changes=True, enters=True)
    assert caught.value.rule == "exec"


def test_read_only(file: Path) -> None:
    rules = policy(file, "read_only = true")
    rules.check_order("host.refresh", {})
    rules.check_stream("logs", changes=False, enters=False)
    for op in ("container.start", "image.pull", "system.prune"):
        with pytest.raises(Denied) as caught:
            rules.check_order(op, {})
        assert caught.value.rule == "read_only"
    with pytest.raises(Denied):
        rules.check_stream("archive put", changes=True, enters=False)


def test_a_build_sets_only_what_is_known(file: Path) -> None:
    rules = policy(file, "privileged = false")
    rules.check_order("image.build", {"query": {"dockerfile": "x", "buildargs": {}}})
    for query in ({"networkmode": "host"}, {"securityopt": "x"}, {"cgroupparent": "/"}):
        with pytest.raises(Denied):
            rules.check_order("image.build", {"query": query})


@pytest.mark.parametrize(
    "text", ["exec = ", "exec = 1", "privilege = false", 'bind_paths = ["srv"]', "bind_paths = 5", "\0"]
)
def test_a_broken_file_forbids_everything(file: Path, text: str) -> None:
    with pytest.raises(Denied) as caught:
        policy(file, text).check_order("host.refresh", {})
    assert caught.value.rule == "policy_file"


def test_a_file_that_others_may_write_forbids_everything(file: Path) -> None:
    file.write_text("exec = true")
    file.chmod(0o666)
    assert read(file).broken
    os.chown(file, 1000, 1000)
    file.chmod(0o600)
    assert read(file).broken


def test_a_change_counts_at_once(file: Path) -> None:
    rules = policy(file, "read_only = false")
    rules.check_order("container.start", {})
    file.write_text("read_only = true  # now")
    with pytest.raises(Denied):
        rules.check_order("container.start", {})
