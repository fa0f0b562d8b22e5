"""User namespaces (``--userns-remap``): root of a container is nobody in particular on the host."""

import os
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.config import EngineConfig
from agent.engine.errors import Invalid
from agent.engine.kernel import idmaps
from agent.engine.kernel.idmaps import Range
from agent.engine.paths import Paths
from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine, running_engine

OWNER, FIRST = "daemon", 431072
"""A user that every Debian has, and where his numbers begin."""


@pytest.fixture(scope="module")
def remapped() -> Iterator[RunningEngine]:
    """An engine whose containers have user namespaces."""
    before = {path: path.read_bytes() if path.exists() else None for path in (idmaps.SUBUID, idmaps.SUBGID)}
    try:
        for path, text in before.items():
            others = [line for line in (text or b"").splitlines() if not line.startswith(f"{OWNER}:".encode())]
            path.write_bytes(b"\n".join([*others, f"{OWNER}:{FIRST}:65536".encode(), b""]))
        with running_engine("--userns-remap", OWNER) as engine:
            yield engine
    finally:
        for path, text in before.items():
            path.unlink(missing_ok=True) if text is None else path.write_bytes(text)


@pytest.fixture
def engine(remapped: RunningEngine) -> Iterator[RunningEngine]:
    """That engine, cleaned after the test."""
    yield remapped
    remapped.docker.clean()


def test_ranges_follow_each_other() -> None:
    text = "# people\nsomebody:100000:65536\nother:1:2\n1000:300000:10\nbroken:x:y\n"
    assert idmaps.ranges(text, "somebody", "1000") == (Range(0, 100000, 65536), Range(65536, 300000, 10))
    assert idmaps.outside(idmaps.ranges(text, "somebody"), 1000) == 101000
    with pytest.raises(Invalid, match="id 70000 is not mapped"):
        idmaps.outside(idmaps.ranges(text, "somebody"), 70000)


def test_who_can_be_meant() -> None:
    assert idmaps.of("root") is None
    with pytest.raises(Invalid, match='uid lookup for "nosuch-user"'):
        idmaps.of("nosuch-user")
    with pytest.raises(Invalid, match='gid lookup for "nosuch-group"'):
        idmaps.of("daemon:nosuch-group")


def test_s12_a_bind_mount(engine: RunningEngine, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    done = engine.docker(
        f"run --rm -v {tmp_path}:/b busy sh -c 'touch /b/made; chown 7:8 /b/made; id -u; cat /b/secret'"
    )
    made = (tmp_path / "made").stat()
    assert (made.st_uid, made.st_gid) == (FIRST + 7, FIRST + 8)
    assert (done.out, "Permission denied" in done.err) == ("0\n", True)
    seen = engine.docker.ok(f"run --rm -v {tmp_path}:/b busy stat -c %u /b/secret")
    assert seen == "65534"


def test_s12_what_root_may_not(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    pid = docker.inspect("aa")["State"]["Pid"]
    assert Path(f"/proc/{pid}").stat().st_uid == FIRST
    assert docker("exec aa mknod /tmp/d b 8 0").code != 0
    assert docker("exec --privileged aa sh -c 'echo 1 > /proc/sys/kernel/panic'").code != 0
    for options, words in (
        ("--privileged", "privileged mode is incompatible with user namespaces"),
        ("--network host", "cannot share the host's network namespace when user namespaces are enabled"),
        ("--pid host", "cannot share the host PID namespace when user namespaces are enabled"),
    ):
        assert words in docker(f"run --rm {options} busy true").err
    assert docker.ok("run --rm --userns host --privileged busy id -u") == "0"


def test_s12_files_look_the_same_inside(engine: RunningEngine) -> None:
    docker = engine.docker
    look = "sh -c 'stat -c %u:%g / /etc/hosts /bin/busybox; echo x >> /etc/hosts; touch /new; stat -c %u /new'"
    assert docker.ok(f"run --name aa busy {look}").split() == ["0:0", "0:0", "0:0", "0"]
    upper = engine.data / "snapshots" / docker.inspect("aa")["Id"] / "upper"
    assert (upper / "new").stat().st_uid == 0
    assert "A /new" in docker.ok("diff aa")
    docker.ok("commit aa with-new")
    # The layer says nothing of the map: it is the same for a container without.
    for options in ("", "--userns host"):
        assert docker.ok(f"run --rm {options} with-new stat -c %u /new") == "0"


def test_s12_copied_file_systems_too(remapped: RunningEngine) -> None:
    assert remapped.docker.ok("info --format '{{.Driver}}'") == "overlay2"
    with running_engine("--userns-remap", OWNER, "--storage-driver", "vfs") as engine:
        docker = engine.docker
        docker.ok("run -d --init --name aa busy sh -c 'touch /new; chown 7:8 /new; sleep 1000'")
        assert docker.ok("exec aa sh -c 'stat -c %u:%g / /bin/busybox /new'").split() == ["0:0", "0:0", "7:8"]
        made = engine.data / "snapshots" / docker.inspect("aa")["Id"] / "tree" / "new"
        assert (made.stat().st_uid, made.stat().st_gid) == (7, 8)
        engine.kill9()
        engine.start()
        docker.ok("restart -t 0 aa")
        assert "A /new" in docker.ok("diff aa").splitlines()
        docker.ok("commit aa with-new")
        assert docker.ok("run --rm --userns host with-new stat -c %u /new") == "7"
        docker.ok("rm -f aa")
        assert until(lambda: not list((engine.data / "snapshots").iterdir()))
        assert not list(Paths.of(EngineConfig(root=engine.data, socket=engine.socket)).roots.iterdir())
    with (
        pytest.raises(RuntimeError, match="--userns-remap does not go with the storage driver fuse-overlayfs"),
        running_engine("--userns-remap", OWNER, "--storage-driver", "fuse-overlayfs"),
    ):
        pass


def seen_as(uid: int, path: Path) -> bool:
    """Somebody on the host can reach a path."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        os._exit(0 if os.access(path, os.F_OK) else 1)
    return os.waitpid(child, 0)[1] == 0


def test_s12_what_is_the_engines_is_closed_to_others(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    merged = Path(docker.inspect("aa")["GraphDriver"]["Data"]["MergedDir"])
    paths = Paths.of(EngineConfig(root=engine.data, socket=engine.socket))
    assert (paths.mapped / "engine.db").stat().st_uid == FIRST
    engine.root.chmod(0o755)
    try:
        assert not seen_as(65534, merged / "bin")
        # Who got out of a container has its numbers, and the view of the data root would be all his.
        for path in (paths.mapped / "engine.db", paths.mapped, engine.data / "engine.db", paths.bundles / "x"):
            assert not seen_as(FIRST, path)
        assert seen_as(FIRST, engine.root)
    finally:
        engine.root.chmod(0o700)


def test_copies_volumes_and_execs(engine: RunningEngine, tmp_path: Path) -> None:
    docker = engine.docker
    volume = f"ls-{secrets.token_hex(3)}"
    docker.ok(f"run -d --name aa -v {volume}:/home busy sh -c 'touch /home/made; sleep 60'")
    (tmp_path / "file").write_text("content")
    docker.ok(f"cp {tmp_path}/file aa:/root/file")
    docker.ok(f"cp {tmp_path}/file aa:/home/file")
    owners = docker.ok("exec aa stat -c %u /root/file /home/file /home/made")
    assert owners.split() == ["0", "0", "0"]
    docker.ok(f"export -o {tmp_path}/all.tar aa")
    with tarfile.open(tmp_path / "all.tar") as archive:
        assert {member.uid for member in archive} == {0}
    docker.ok(f"cp aa:/root/file {tmp_path}/back")
    assert (tmp_path / "back").read_text() == "content"
    assert docker.ok("exec -u 1000 aa id -u") == "1000"
    assert docker.ok("run --rm -t busy tty").strip() == "/dev/pts/0"
    docker.ok("rm -f aa")
    docker.ok(f"volume rm {volume}")


def test_namespaces_are_the_containers_own(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa --ipc shareable busy sleep 61")
    assert docker.ok("run --rm --cap-add NET_ADMIN busy sh -c 'ip link set lo down && echo down'") == "down"
    assert docker.ok("run --rm --sysctl net.core.somaxconn=99 busy cat /proc/sys/net/core/somaxconn") == "99"
    assert "sleep 61" in docker.ok("run --rm --pid container:aa busy ps")
    for mode in ("ipc", "network"):
        there = docker.ok("exec aa readlink /proc/self/ns/user")
        assert docker.ok(f"run --rm --{mode} container:aa busy readlink /proc/self/ns/user") == there
    assert "inet" in docker.ok("run --rm busy ip -4 addr show eth0")


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_either_runtime(engine: RunningEngine, runtime: str) -> None:
    look = "grep Seccomp: /proc/self/status; cat /proc/self/uid_map"
    seen = engine.docker.ok(f"run --rm --runtime {runtime} busy sh -c '{look}'").split()
    assert seen == ["Seccomp:", "2", "0", str(FIRST), "65536"]


def test_an_image_as_a_mount(engine: RunningEngine) -> None:
    body = {
        "Image": "busy",
        "Cmd": ["stat", "-c", "%u", "/i/bin/busybox"],
        "HostConfig": {"Mounts": [{"Type": "image", "Source": "busy", "Target": "/i"}]},
    }
    assert engine.docker.api("POST", "/containers/create?name=aa", body)[0] == 201
    assert engine.docker.ok("start -a aa") == "0"


def test_a_build(engine: RunningEngine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM busy\nRUN touch /j && chown 7:7 /j\nCOPY f /c\nRUN stat -c %u /j /c > /o\n"
    )
    (tmp_path / "f").write_text("x")
    engine.docker.ok(f"build -q -t built {tmp_path}")
    assert engine.docker.ok("run --rm built cat /o").split() == ["7", "0"]


def test_an_engine_that_was_killed_finds_them_again(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    engine.kill9()
    engine.start()
    assert docker.ok("exec aa id -u") == "0"
    docker.ok("rm -f aa")
    docker.ok("run --rm busy true")
    paths = Paths.of(EngineConfig(root=engine.data, socket=engine.socket))
    assert [list(folder.iterdir()) for folder in (paths.user_namespaces, paths.namespaces)] == [[], []]
    assert "name=userns" in docker.api("GET", "/info")[1]["SecurityOptions"]
