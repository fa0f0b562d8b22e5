"""Shapes by API version."""

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
    assert "CgroupnsMode" not in containers.inspection({"HostConfig": found}, (1, 40))["HostConfig"]


def test_info() -> None:
    found = system.info(FACTS, COUNTS, (1, 47))
    assert (found["Containers"], found["ContainersStopped"]) == (6, 3)
    assert found["SecurityOptions"] == ["name=seccomp,profile=default", "name=cgroupns"]
    assert found["RegistryConfig"]["InsecureRegistryCIDRs"] == ["127.0.0.0/8", "10.0.0.0/8"]
    assert found["RegistryConfig"]["IndexConfigs"]["r:5000"]["Secure"] is False
    assert "KernelMemory" not in found
    assert "KernelMemory" in system.info(FACTS, COUNTS, (1, 41))


def test_version() -> None:
    found = system.version(FACTS)
    assert (found["ApiVersion"], found["MinAPIVersion"], found["Os"], found["Arch"]) == (
        "1.47",
        "1.24",
        "linux",
        "amd64",
    )


def test_disk_usage_of_some_kinds() -> None:
    found = system.disk_usage(layers=1, images=[], containers=[], volumes=[{}], kinds={"volume"})
    assert found == {"Volumes": [{}]}


def test_the_machine() -> None:
    assert machine.operating_system('PRETTY_NAME="Debian 12"\nVERSION_ID="12"\n') == ("Debian 12", "12")
    assert machine.architecture()
    assert machine.memory() > 0
