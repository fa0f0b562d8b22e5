"""Shapes by API version."""

from agent.engine.api.routers.system import KINDS
from agent.engine.api.schema import containers, system
from agent.engine.kernel import machine

FACTS = system.Facts(
    engine_id="i", root="/r", name="n", kernel="6", operating_system="Debian", os_version="12", architecture="amd64",
    machine="x86_64", cpus=2, memory=1, cgroup_version=2, swap_limit=True, runtime="crun", runtime_version="1.8",
    conmon_version="2.1", init_version="0.1", seccomp=True, insecure=("10.0.0.0/8", "r:5000"),
)  # fmt: skip
COUNTS = system.Counts(1, 2, 3, 4, 5, 6, 7, "now", True, False)


def test_keys_of_a_host_config_by_version() -> None:
    found = {"Memory": 1, "KernelMemory": 0, "KernelMemoryTCP": 0, "CgroupnsMode": "host", "Annotations": {"a": "b"}}
    assert set(containers.host_config(found, (1, 47))) == {"Memory", "CgroupnsMode", "Annotations"}
    assert set(containers.host_config(found, (1, 41))) == {"Memory", "CgroupnsMode", "KernelMemory", "KernelMemoryTCP"}
    assert "CgroupnsMode" in containers.host_config(found, (1, 24))


def test_names_on_networks_by_version() -> None:
    whole = {
        "Id": "0123456789abcdef", "Name": "/web", "Config": {"Hostname": "0123456789ab"}, "HostConfig": {},
        "NetworkSettings": {
            "Networks": {"bridge": {"Aliases": None}, "own": {"Aliases": ["given", "0123456789ab"], "Links": None}}
        },
    }  # fmt: skip

    def shown(version: tuple[int, int]) -> containers.Json:
        return dict(containers.inspection(whole, version)["NetworkSettings"]["Networks"])

    assert shown((1, 43)) == whole["NetworkSettings"]["Networks"]
    names = ["web", "given", "0123456789ab"]
    assert shown((1, 44))["own"] == {"Aliases": ["given", "0123456789ab"], "Links": None, "DNSNames": names}
    assert shown((1, 45))["own"] == {"Aliases": ["given"], "Links": None, "DNSNames": names}
    assert shown((1, 45))["bridge"] == {"Aliases": None, "DNSNames": None}


def test_info() -> None:
    found = system.info(FACTS, COUNTS, (1, 47))
    assert (found["Containers"], found["ContainersStopped"]) == (6, 3)
    assert found["SecurityOptions"] == ["name=seccomp,profile=default", "name=cgroupns"]
    assert found["RegistryConfig"]["InsecureRegistryCIDRs"] == ["127.0.0.0/8", "10.0.0.0/8"]
    assert found["RegistryConfig"]["IndexConfigs"]["r:5000"]["Secure"] is False
    assert "KernelMemory" not in found
    assert "KernelMemory" in system.info(FACTS, COUNTS, (1, 41))
    oldest = system.info(FACTS, COUNTS, (1, 24))
    assert (oldest["SecurityOptions"], oldest["ExecutionDriver"]) == (["seccomp", "cgroupns"], "<not supported>")


def test_version() -> None:
    found = system.version(FACTS)
    assert (found["ApiVersion"], found["MinAPIVersion"], found["Os"], found["Arch"]) == (
        "1.47",
        "1.24",
        "linux",
        "amd64",
    )


def test_disk_usage_of_some_kinds() -> None:
    def asked(version: tuple[int, int], *kinds: str) -> system.Json:
        return system.disk_usage(layers=1, images=[], containers=[], volumes=[{}], kinds=set(kinds), asked=version)

    some = {"LayersSize": 0, "Images": None, "Containers": None, "Volumes": [{}], "BuildCache": None}
    assert asked((1, 47), "volume") == some
    everything = {"LayersSize": 1, "Images": [], "Containers": [], "Volumes": [{}], "BuildCache": []}
    assert asked((1, 42), *KINDS) == everything
    assert asked((1, 41), *KINDS) == everything | {"BuildCache": None, "BuilderSize": 0}


def test_the_machine() -> None:
    assert machine.operating_system('PRETTY_NAME="Debian 12"\nVERSION_ID="12"\n') == ("Debian 12", "12")
    assert machine.architecture()
    assert machine.memory() > 0
