"""What a create request may say: merged with the image, defaults filled in, the rest refused by name."""

from typing import Any

import pytest

from agent.engine.containers.options import config, hostconfig, limits, mounts, names, restarts, security, signals
from agent.engine.containers.options.tmpfs import tmpfs_options
from agent.engine.errors import Invalid
from tests.agent.engine.containers.records import ID, record

MACHINE = limits.Machine(cpus=2, memory=1 << 30, online="0-1")


def merged(image: dict[str, Any], **body: Any) -> dict[str, Any]:
    return config.completed({"Image": "busy", **body}, image, ID)


def test_the_image_fills_what_the_client_leaves_out() -> None:
    image = {"Cmd": ["c"], "Entrypoint": ["e"], "Env": ["A=i", "B=i"], "User": "u", "WorkingDir": "/w"}
    found = merged(image, Env=["A=c"], Labels={"l": "1"})
    assert config.command(found) == ("e", ("c",))
    assert (found["Env"], found["User"], found["WorkingDir"]) == (["A=c", "B=i"], "u", "/w")
    assert found["Hostname"] == ID[:12]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"Cmd": ["mine"]}, ("e", ("mine",))),
        ({"Entrypoint": ["mine"]}, ("mine", ())),
        ({"Entrypoint": [""], "Cmd": ["plain", "x"]}, ("plain", ("x",))),
        ({"Entrypoint": []}, ("c", ())),
        ({"Entrypoint": "mine", "Cmd": "one word"}, ("mine", ("one word",))),
    ],
)
def test_entrypoint_and_command(body: dict[str, Any], expected: tuple[str, tuple[str, ...]]) -> None:
    assert config.command(merged({"Cmd": ["c"], "Entrypoint": ["e"]}, **body)) == expected


def test_an_entrypoint_that_is_none_and_a_folder_are_kept_as_dockerd_keeps_them() -> None:
    assert merged({"Entrypoint": ["e"]}, Entrypoint=[""], Cmd=["c"])["Entrypoint"] is None
    assert merged({"Cmd": ["c"]}, WorkingDir="//a/../b/.")["WorkingDir"] == "/b"


def test_nothing_to_run() -> None:
    with pytest.raises(Invalid, match="No command specified"):
        config.command(merged({}))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"WorkingDir": "rel"}, "needs to be an absolute path"),
        ({"StopSignal": "NOSUCH"}, "Invalid signal: NOSUCH"),
        ({"Env": ["=x"]}, "invalid environment variable: =x"),
        ({"Healthcheck": {"Interval": 5}}, "cannot be less than 1ms"),
    ],
)
def test_bad_config(body: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        merged({"Cmd": ["c"]}, **body)


@pytest.mark.parametrize(
    "host",
    [
        {"UsernsMode": "keep-id"},
        {"UTSMode": "container:x"},
        {"IpcMode": "container:"},
        {"PidMode": "bogus"},
        {"CgroupnsMode": "bogus"},
        {"Isolation": "hyperv"},
        {"IOMaximumIOps": 5},
        {"Runtime": "kata"},
        {"BrandNew": 1},
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(host: dict[str, Any]) -> None:
    words = {
        "UsernsMode": "invalid user namespace mode: keep-id",
        "UTSMode": "invalid UTS mode",
        "IpcMode": "invalid IPC mode",
        "PidMode": "invalid PID mode",
        "CgroupnsMode": "invalid cgroup namespace mode",
        "Isolation": r"invalid isolation \(hyperv\)",
        "IOMaximumIOps": "maximum IOPs",
        "Runtime": "Unknown runtime specified kata",
    }
    key = next(iter(host))
    with pytest.raises(Invalid, match=words.get(key, key)):
        record(host)


def test_null_and_empty_mean_the_default() -> None:
    nothing: dict[str, Any] = {**dict.fromkeys(hostconfig.DEFAULTS), "VolumesFrom": [], "Isolation": "", "Links": []}
    found = record(nothing).host_config
    assert (found["ShmSize"], found["NetworkMode"], found["IpcMode"]) == (64 << 20, "default", "private")
    assert found["MemorySwappiness"] is None


def test_a_cgroup_means_nothing_to_dockerd_either() -> None:
    assert record({"Cgroup": "container:x"}).host_config["Cgroup"] == "container:x"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({"RestartPolicy": {"Name": "x"}}, "invalid restart policy 'x'"),
        ({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}, "cannot be used with restart policy 'always'"),
        ({"RestartPolicy": {"Name": "always"}, "AutoRemove": True}, "can't create 'AutoRemove'"),
        ({"CapAdd": ["BOGUS"]}, 'invalid CapAdd: unknown capability: "CAP_BOGUS"'),
        ({"SecurityOpt": ["nosuch"]}, "invalid --security-opt 1"),
        ({"Ulimits": [{"Name": "x", "Soft": 1, "Hard": 1}]}, "invalid ulimit type: x"),
        ({"LogConfig": {"Type": "fluentd"}}, 'error looking up logging plugin fluentd: plugin "fluentd" not found'),
        ({"LogConfig": {"Type": "json-file", "Config": {"x": "1"}}}, "unknown log opt 'x'"),
        ({"OomScoreAdj": 2000}, "range for oom score adj"),
    ],
)
def test_bad_host_config(host: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        record(host)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({"Memory": 1 << 20}, "Minimum memory limit allowed is 6MB"),
        ({"Memory": 64 << 20, "MemorySwap": 32 << 20}, "larger than memory limit"),
        ({"MemorySwap": 64 << 20}, "always set the Memory limit"),
        ({"NanoCpus": 3 * 10**9}, "Range of CPUs is from 0.01 to 2.00"),
        ({"CpusetCpus": "9"}, "Requested CPUs are not available - requested 9, available: 0-1"),
        ({"CpusetCpus": "x"}, "Invalid value x for cpuset cpus"),
        ({"CpusetCpus": "1-0"}, "Invalid value 1-0 for cpuset cpus: invalid format"),
        ({"CpusetCpus": "0-3999999999"}, "maximum is 8192"),
        ({"CpusetMems": "0-30000000"}, "maximum is 8192"),
        ({"CpusetCpus": "0-3999999999999999999999"}, "invalid format"),
        ({"CpuPeriod": 5}, "CPU cfs period can not be less"),
    ],
)
def test_bad_limits(host: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        limits.check(host, MACHINE)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"CapDrop": ["ALL"]}, ()),
        ({"CapDrop": ["ALL"], "CapAdd": ["net_admin", "CAP_CHOWN"]}, ("CAP_NET_ADMIN", "CAP_CHOWN")),
        ({"CapDrop": ["chown"]}, security.DEFAULT_CAPABILITIES[1:]),
        ({"CapAdd": ["ALL"]}, security.KERNEL_CAPABILITIES),
        ({"Privileged": True}, security.KERNEL_CAPABILITIES),
    ],
)
def test_s2_capabilities(host: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert tuple(security.capabilities(host, security.DEFAULT_CAPABILITIES)) == expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("/a:/b:nosuch", "invalid mode: nosuch"),
        ("data:relative", "invalid mount path: 'relative' mount path must be absolute"),
        ("/a:/", "destination can't be '/'"),
        ("/a:/b:ro:x", "invalid volume specification"),
        ("", "invalid volume specification"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
    ],
)
def test_bad_binds(raw: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        mounts.parse_bind(raw)


def test_binds_and_volumes() -> None:
    bind = mounts.parse_bind("/a/../b:/c/:ro,rslave")
    assert (bind.type, bind.source, bind.destination, bind.rw, bind.propagation) == (
        "bind",
        "/b",
        "/c",
        False,
        "rslave",
    )
    named = mounts.parse_bind("data:/d")
    assert (named.type, named.name, named.mode, named.anonymous, named.copy_up) == ("volume", "data", "", False, True)
    anonymous = mounts.parse_bind("/d")
    assert anonymous.anonymous
    assert len(anonymous.name) == 64


def test_one_place_one_mount() -> None:
    with pytest.raises(Invalid, match="Duplicate mount point: /b"):
        mounts.collect({"Binds": ["/tmp:/b", "/etc:/b"]}, {})
    points = mounts.collect({"Binds": ["/tmp:/b"]}, {"Volumes": {"/b": {}, "/c": {}}})
    assert [point.destination for point in points] == ["/b", "/c"]


def test_a_bind_around_the_data_root_sees_us_unmount() -> None:
    def propagation(source: str, mode: str = "") -> str:
        (point,) = mounts.collect({"Binds": [f"{source}:/b{mode}"]}, {}, root="/srv/engine")
        return point.propagation

    assert [propagation(path) for path in ("/", "/srv", "/srv/engine/x", "/srv/eng", "/tmp")] == [
        "rslave", "rslave", "rslave", "rprivate", "rprivate",
    ]  # fmt: skip
    assert propagation("/srv", ":rshared") == "rshared"
    with pytest.raises(Invalid, match='must use either propagation mode "rslave" or "rshared"'):
        propagation("/srv", ":rprivate")
    with pytest.raises(Invalid, match="field VolumeOptions must not be specified"):
        mounts.parse_bind("/tmp:/b:nocopy")


def test_tmpfs_options() -> None:
    assert tmpfs_options("") == ("noexec", "nosuid", "nodev")
    assert tmpfs_options("exec,size=1m") == ("nosuid", "nodev", "size=1m")
    with pytest.raises(Invalid, match="invalid tmpfs option"):
        tmpfs_options("nosuch=1")


@pytest.mark.parametrize(("text", "number"), [("9", 9), ("KILL", 9), ("SIGTERM", 15), ("sigusr1", 10), ("RTMIN+3", 37)])
def test_signals(text: str, number: int) -> None:
    assert signals.parse(text) == number


@pytest.mark.parametrize("text", ["0", "NOSUCH", "999", ""])
def test_no_signals(text: str) -> None:
    with pytest.raises(Invalid, match="Invalid signal"):
        signals.parse(text)


def test_names() -> None:
    assert names.checked("/web-1.x_y") == "web-1.x_y"
    for bad in ("x", "a b", "-a", "a/b", ".a", ""):
        with pytest.raises(Invalid, match="only"):
            names.checked(bad)
    assert names.checked(names.invented(()))


def test_restart_policies() -> None:
    always, twice = {"Name": "always"}, {"Name": "on-failure", "MaximumRetryCount": 2}
    assert restarts.wanted(always, code=0, count=9, by_hand=False)
    assert not restarts.wanted(always, code=1, count=0, by_hand=True)
    assert [restarts.wanted(twice, code=1, count=count, by_hand=False) for count in (0, 1, 2)] == [True, True, False]
    assert not restarts.wanted(twice, code=0, count=0, by_hand=False)
    assert not restarts.wanted({"Name": "no"}, code=1, count=0, by_hand=False)


def test_the_wait_doubles_up_to_a_minute_and_begins_anew() -> None:
    waits = [restarts.delay(None, 0)]
    for _ in range(11):
        waits.append(restarts.delay(waits[-1], 0.5))
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
    assert waits[-1] == 60.0
    assert restarts.delay(30.0, 11) == 0.1


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ({"Sysctls": {"kernel.sem": "1 2 3 4"}}, True),
        ({"Sysctls": {"net.core.somaxconn": "1"}}, True),
        ({"Sysctls": {"kernel.core_pattern": "|/x"}}, False),
        ({"Sysctls": {"net.core.somaxconn": "1"}, "NetworkMode": "host"}, False),
    ],
)
def test_s9_sysctls(host: dict[str, Any], fine: bool) -> None:
    if fine:
        assert security.sysctls(host) | host["Sysctls"] == security.sysctls(host)
    else:
        with pytest.raises(Invalid, match="sysctl"):
            security.sysctls(host)
