"""Hostile containers, by the ids of the hostile-inputs table: S3, S6–S11 and S13 in full. ``test_security.py`` has the
short ones, ``test_userns.py`` S12, ``test_escapes.py`` what once got out.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent.engine.containers.options import security
from agent.engine.errors import Invalid
from tests.agent.engine.conftest import RunningEngine

CALLS = Path(__file__).with_name("calls.py")
PYTHON = os.path.realpath(sys.executable)
DENIED = {errno.EPERM, errno.ENOSYS}
LIBRARIES = " ".join(f"-v {path}:{path}:ro" for path in ("/lib", "/lib64", "/usr/lib") if Path(path).exists())


def called(engine: RunningEngine, options: str = "") -> dict[str, int]:
    """How the calls end in a container."""
    inside = f"-v /:/host:ro -v {CALLS.parent}:/host/mnt:ro"
    out = engine.docker.ok(f"run --rm {options} {inside} busy chroot /host {PYTHON} -I -S /mnt/{CALLS.name}")
    found: dict[str, int] = json.loads(out)
    return found


def test_s3_calls_that_the_default_profile_denies(engine: RunningEngine) -> None:
    found = called(engine)
    assert {name: code for name, code in found.items() if code not in DENIED | {errno.EAFNOSUPPORT}} == {}
    assert found["clone3"] == errno.ENOSYS


def test_s3_a_capability_brings_its_calls_and_no_others(engine: RunningEngine) -> None:
    found = called(engine, "--cap-add SYS_NICE --cap-add SYSLOG")
    let_through = {name for name, code in found.items() if code not in DENIED | {errno.EAFNOSUPPORT}}
    assert let_through <= {"mbind", "get_mempolicy", "set_mempolicy", "set_mempolicy_home_node", "syslog", "move_pages"}
    assert {"get_mempolicy", "syslog"} <= let_through


def test_s3_unconfined_lets_through_what_a_capability_does_not_guard(engine: RunningEngine) -> None:
    found = called(engine, "--security-opt seccomp=unconfined")
    assert found["clone3"] not in DENIED
    assert found["sethostname"] == errno.EPERM


def test_s3_a_profile_of_ones_own(engine: RunningEngine, tmp_path: Path) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ETXTBSY}],
    }
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    done = engine.docker(f"run --rm --security-opt seccomp={tmp_path}/profile.json busy mkdir /x")
    assert (done.code, "Text file busy" in done.err) == (1, True)
    body = {"Image": "busy", "HostConfig": {"SecurityOpt": ["seccomp=/no/such/file"]}}
    assert engine.docker.api("POST", "/containers/create", body)[0] == 400


def test_s6_every_way_to_the_kernels_own_files(engine: RunningEngine) -> None:
    seen = engine.docker.ok(
        "run --rm busy sh -c 'for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sysrq-trigger"
        " /proc/irq/default_smp_affinity /proc/sys/vm/drop_caches /sys/kernel/mm/ksm/run"
        " $(find /sys/fs/cgroup -name cgroup.procs | head -n 3); do [ ! -e $f ] || (echo 1 > $f) 2>&1; done; true'"
    )
    lines = seen.splitlines()
    assert len(lines) >= 6
    assert [line for line in lines if "Read-only file system" not in line] == []


def test_s6_paths_laid_open_on_purpose(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("create --name aa --security-opt systempaths=unconfined busy sh -c 'stat -c %F /proc/keys /proc/sys'")
    host = docker.inspect("aa")["HostConfig"]
    assert (host["MaskedPaths"], host["ReadonlyPaths"]) == ([], [])
    assert docker.ok("start -a aa").splitlines() == ["regular empty file", "directory"]
    body = {
        "Image": "busy",
        "Cmd": ["sh", "-c", "wc -c < /etc/passwd; ls /home | wc -l; touch /tmp/x"],
        "HostConfig": {"MaskedPaths": ["/etc/passwd", "/home"], "ReadonlyPaths": ["/tmp"]},
    }
    docker.api("POST", "/containers/create?name=bb", body)
    done = docker("start -a bb")
    assert (done.out.split(), "Read-only file system" in done.err) == (["0", "0"], True)


def test_s7_a_fork_bomb_at_the_default_limit(engine: RunningEngine) -> None:
    docker = engine.docker
    bomb = "(i=0; while [ $i -lt 5000 ]; do sleep 300 & i=$((i+1)); done; echo all); exec sleep 300"
    docker.ok(f"run -d --name bomb busy sh -c '{bomb}'")
    deadline = time.monotonic() + 60
    while "Resource temporarily unavailable" not in docker("logs bomb").err:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    began = time.monotonic()
    assert docker.api("GET", "/containers/json")[0] == 200
    assert time.monotonic() - began < 20
    # The host has numbers left.
    assert subprocess.run(["true"], check=False).returncode == 0
    inside = docker.api("GET", "/containers/bomb/stats?stream=false&one-shot=true")[1]["pids_stats"]
    assert 1000 < inside["current"] <= inside["limit"] == 2048
    docker.ok("rm -f bomb")


def test_s8_a_setuid_program(engine: RunningEngine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    program = tmp_path / "id"
    shutil.copy("/usr/bin/id", program)
    program.chmod(0o4755)
    options = f"--rm -u 1000 {LIBRARIES} -v {tmp_path}:/own"
    assert engine.docker.ok(f"run {options} busy /own/id -u") == "0"
    assert engine.docker.ok(f"run --security-opt no-new-privileges {options} busy /own/id -u") == "1000"
    for word, expected in (("=true", "1000"), (":1", "1000"), ("=0", "0")):
        assert engine.docker.ok(f"run --security-opt no-new-privileges{word} {options} busy /own/id -u") == expected


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ({"Sysctls": {"kernel.core_pattern": "x"}}, False),
        ({"Sysctls": {"vm.overcommit_memory": "1"}}, False),
        ({"Sysctls": {"net.core.somaxconn": "9"}, "NetworkMode": "host"}, False),
        ({"Sysctls": {"kernel.sem": "1 2 3 4"}, "IpcMode": "host"}, False),
        ({"Sysctls": {"kernel.domainname": "x"}, "UTSMode": "host"}, False),
        ({"Sysctls": {"kernel.sem": "250 32000 100 129", "fs.mqueue.msg_max": "11", "kernel.domainname": "x"}}, True),
    ],
)
def test_s9_sysctls_by_namespace(engine: RunningEngine, host: dict[str, Any], fine: bool) -> None:
    names = " ".join(f"/proc/sys/{name.replace('.', '/')}" for name in host["Sysctls"])
    body = {"Image": "busy", "Cmd": ["sh", "-c", f"cat {names}"], "HostConfig": host}
    code, _ = engine.docker.api("POST", "/containers/create?name=aa", body)
    assert code == (201 if fine else 400)
    if fine:
        seen = engine.docker.ok("start -a aa").split()
        assert seen == " ".join(host["Sysctls"].values()).split()


@pytest.mark.parametrize(("mode", "name"), [("NetworkMode", "net.ipv4.ip_default_ttl"), ("IpcMode", "kernel.shmmni")])
def test_s9_the_hosts_own_by_way_of_another_container(engine: RunningEngine, mode: str, name: str) -> None:
    """Whose namespace is joined has the host's: what is set there would be set on the host."""
    docker = engine.docker
    same = Path("/proc/sys", *name.split(".")).read_text().strip()

    def asked(owner: str) -> tuple[int, dict[str, Any]]:
        joined = {mode: f"container:{owner}"}
        host = {**joined, "Sysctls": {name: same}}
        found: tuple[int, dict[str, Any]] = docker.api(
            "POST", "/containers/create?name=bb", {"Image": "busy", "Cmd": ["true"], "HostConfig": host}
        )
        return found

    docker.ok(f"run -d --name aa --{mode.removesuffix('Mode').lower()} host busy sleep 60")
    code, answer = asked("aa")
    assert (code, "not allowed with the host's" in answer["message"]) == (400, True)
    docker.ok(f"run -d --name far --{mode.removesuffix('Mode').lower()} container:aa busy sleep 60")
    assert asked("far")[0] == 400
    if mode == "NetworkMode":
        # Whose name is taken only later: the start finds it.
        assert asked("later")[0] == 201
        docker.ok("run -d --name later --network host busy sleep 60")
        started, answer = docker.api("POST", "/containers/bb/start")
        assert (started, "not allowed with the host's" in answer["message"]) == (500, True)


def as_nobody(*command: str) -> int:
    return subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


def test_s10_nobody_reads_what_is_the_engines(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    found = docker.inspect("aa")
    engine.root.chmod(0o755)
    try:
        blob = next(path for path in (engine.data / "content").rglob("*") if path.is_file())
        run = Path("/run/longshore")
        paths = [engine.data, blob, Path(found["GraphDriver"]["Data"]["MergedDir"]), Path(found["LogPath"])]
        paths += [engine.data / "engine.db", *(path for path in run.iterdir())]
        assert [path for path in paths if as_nobody("ls", str(path)) == 0] == []
        dial = f"import socket; socket.socket(socket.AF_UNIX).connect({str(engine.socket)!r})"
        assert as_nobody("/usr/bin/python3", "-c", dial) != 0
        assert as_nobody("ls", str(engine.root)) == 0
    finally:
        engine.root.chmod(0o700)


def test_s11_a_missing_bind(engine: RunningEngine, tmp_path: Path) -> None:
    docker = engine.docker
    mount = {"Type": "bind", "Source": f"{tmp_path}/nosuch", "Target": "/x"}
    body = {"Image": "busy", "HostConfig": {"Mounts": [mount]}}
    code, answer = docker.api("POST", "/containers/create", body)
    assert (code, "bind source path does not exist" in answer["message"]) == (400, True)
    assert docker.api("GET", "/containers/json?all=1")[1] == []
    # 500 where dockerd says so
    for bind, expected in (("relative/path:/x", 400), ("/tmp:relative", 500), ("/tmp:/", 500)):
        assert (
            docker.api("POST", "/containers/create", {"Image": "busy", "HostConfig": {"Binds": [bind]}})[0] == expected
        )


def test_s13_descriptors_of_every_kind_of_process(engine: RunningEngine) -> None:
    docker = engine.docker
    # 3 is the directory that ls itself reads.
    look = "ls /proc/self/fd"
    docker.ok("run -d -i --name aa busy sleep 60")
    assert docker.ok("exec aa ls /proc/1/fd").split() == ["0", "1", "2"]
    for options in ("", "-i", "-t", "-t --privileged", "--network host", "--init", "-v /tmp:/t", "--pid container:aa"):
        assert docker.ok(f"run --rm {options} busy {look}").split() == ["0", "1", "2", "3"], options
    for options in ("", "-i", "-t", "--privileged", "-u 1000", "-w /tmp"):
        assert docker.ok(f"exec {options} aa {look}").split() == ["0", "1", "2", "3"], options
    docker.ok(f"exec -d aa sh -c '{look} > /tmp/seen; mv /tmp/seen /tmp/done'")
    deadline = time.monotonic() + 20
    while docker("exec aa test -e /tmp/done").code:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # 1 is the file, 3 again the directory.
    assert docker.ok("exec aa cat /tmp/done").split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("bogus", '1: "bogus"'), ("bogus=1", '2: "bogus=1"'), ("no-new-privileges=maybe", '2: "no-new-pri'),
        ("systempaths=unconfined", '2: "systempaths=unconfined"'),
    ],
)  # fmt: skip
def test_options_that_are_none(option: str, words: str) -> None:
    with pytest.raises(Invalid, match=f"invalid --security-opt {words}"):
        security.options([option])
