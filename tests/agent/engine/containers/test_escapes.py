"""V1: ways in which containers once got out of runtimes. After each the host is as before, and nothing hangs."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.engine.containers.oci import workdirs
from tests import busybox
from tests.agent.engine.conftest import RunningEngine

MARK = "ls-test-escape"


def runtimes() -> dict[str, str]:
    """Digests of the programs that a container could hope to overwrite."""
    paths = [found for name in ("crun", "runc", "conmon") if (found := shutil.which(name))]
    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}


@pytest.fixture(autouse=True)
def unharmed(tmp_path: Path) -> Iterator[None]:
    """The host's programs, devices and a directory that escapes aim at are the same afterwards."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    before, null = runtimes(), Path("/dev/null").stat().st_rdev
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    yield
    assert runtimes() == before
    assert Path("/dev/null").stat().st_rdev == null
    assert Path("/proc/sys/kernel/core_pattern").read_text() == pattern
    assert [path.name for path in outside.iterdir()] == ["kept"]


def image(engine: RunningEngine, name: str, links: dict[str, str]) -> None:
    """The base image with some of its paths as links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(busybox.rootfs_tar())) as base, tarfile.open(fileobj=out, mode="w") as made:
        for member in base.getmembers():
            made.addfile(member, base.extractfile(member) if member.isreg() else None)
        for path, target in links.items():
            link = tarfile.TarInfo(path)
            link.type, link.linkname = tarfile.SYMTYPE, target
            made.addfile(link)
    done = subprocess.run(
        ["docker", "-H", engine.host, "import", "-", name], input=out.getvalue(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_v1_the_runtimes_own_program(engine: RunningEngine) -> None:
    """CVE-2019-5736."""
    docker = engine.docker
    docker("run --rm --entrypoint /proc/self/exe busy --version")
    docker.ok("run -d --name aa --cap-add SYS_PTRACE busy sleep 60")
    docker("exec aa /proc/self/exe --version")
    overwrite = "for n in 1 2 3; do for p in /proc/[0-9]*; do echo x 2>/dev/null > $p/exe; done; done"
    docker.ok(f"exec -d aa sh -c '{overwrite}'")
    for _ in range(5):
        docker("exec aa true")


@pytest.mark.parametrize(
    "directory",
    ["/proc/self/fd/7", "/proc/self/fd/8/..", "/proc/thread-self/fd/9", "/proc/1/root", "//proc/./self/cwd"],
)
def test_v1_a_working_directory_in_proc(engine: RunningEngine, directory: str) -> None:
    """CVE-2024-21626."""
    docker = engine.docker
    refused = docker(f"run --rm -w {directory} busy ls")
    assert (refused.code != 0, "leads through a descriptor" in refused.err) == (True, True)
    docker.ok("run -d --name aa busy sleep 60")
    refused = docker(f"exec -w {directory} aa ls")
    assert (refused.code != 0, "leads through a descriptor" in refused.out + refused.err) == (True, True)


def test_v1_a_working_directory_that_is_a_link(engine: RunningEngine) -> None:
    """CVE-2024-21626 by the image, and by a container that makes the link itself."""
    docker = engine.docker
    image(engine, "linked", {"wd": "/proc/self/fd/7", "up": "tmp/../wd", "fine": "/tmp"})
    for directory in ("/wd", "/up", "/wd/inner"):
        refused = docker(f"run --rm -w {directory} linked ls")
        assert (refused.code != 0, "leads through a descriptor" in refused.err) == (True, True)
    # Words that cancel each other out may be left out before anything is looked up.
    done = docker("run --rm -w /wd/../.. linked pwd")
    assert done.code != 0 or done.out.strip() == "/"
    assert docker.ok("run --rm -w /fine linked pwd") in {"/tmp", "/fine"}
    docker.ok("run -d --name aa busy sh -c 'ln -s /proc/self/fd/8 /tmp/x; sleep 60'")
    assert docker("exec -w /tmp/x aa ls").code != 0
    docker.ok("image rm linked")


def test_v1_a_working_directory_without_end(engine: RunningEngine) -> None:
    """Millions of steps are not walked, and no runtime is asked."""
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    began = time.monotonic()
    for directory in ("/" + "y" * 100_000, "/" + "a/" * 2_000_000):
        made = docker.api("POST", "/containers/create?name=bb", {"Image": "busy", "WorkingDir": directory})
        assert made[0] == 400 or "longer than" in docker.api("POST", "/containers/bb/start")[1]["message"]
        docker("rm -f bb")
        made = docker.api("POST", "/containers/aa/exec", {"Cmd": ["true"], "WorkingDir": directory})
        code, answer = docker.api("POST", f"/exec/{made[1]['Id']}/start", {"Detach": True})
        assert (code >= 400, "longer than" in answer["message"]) == (True, True)
    assert time.monotonic() - began < 20


def test_v1_links_are_followed_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b/../c")
    (tmp_path / "c").symlink_to("/proc/./self")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "out").symlink_to("../../../etc")
    assert workdirs.leads_to_process(tmp_path, "/a/fd")
    assert workdirs.leads_to_process(tmp_path, "/loop")
    assert not workdirs.leads_to_process(tmp_path, "/out/x")
    assert not workdirs.leads_to_process(tmp_path, "/proc/sys")


def test_v1_a_mounts_place_is_swapped(engine: RunningEngine, tmp_path: Path) -> None:
    """CVE-2021-30465: another container swaps the place for a link to the host's root while this one starts."""
    docker = engine.docker
    docker.ok("volume create swapped")
    swap = "cd /v; mkdir -p real; while :; do rm -rf place; ln -s / place; rm place; mkdir -p place; done"
    docker.ok(f"run -d --name aa -v swapped:/v busy sh -c '{swap}'")
    try:
        for _ in range(8):
            done = docker(
                f"run --rm -v swapped:/v -v {tmp_path}/outside:/v/place/etc busy sh -c 'ls /v/place/ | wc -l'"
            )
            assert "boot" not in done.out
        assert Path("/etc/passwd").exists()
    finally:
        docker("rm -f aa")
        docker("volume rm swapped")


def test_v1_a_place_that_is_a_link_to_the_host(engine: RunningEngine, tmp_path: Path) -> None:
    image(engine, "linked", {"place": f"{tmp_path}/outside", "file": f"{tmp_path}/outside/new"})
    options = f"-v {tmp_path}:/place/mounted -v /etc/hostname:/file --tmpfs /place/more"
    engine.docker(f"run --rm {options} linked ls /place")
    engine.docker.ok("image rm linked")


@pytest.mark.parametrize(
    ("options", "links"),
    [
        ("", {"dev": "OUTSIDE"}),
        ("-t --read-only", {"dev": "OUTSIDE"}),
        ("", {"dev/null": "/proc/sys/kernel/core_pattern"}),
        ("-t", {"dev/console": "/proc/sysrq-trigger", "dev/pts": "/proc"}),
        ("", {"proc": "OUTSIDE"}),
        ("", {"proc": "/sys", "sys": "/proc"}),
        ("", {"sys/fs/cgroup": "OUTSIDE"}),
        ("", {"etc": "OUTSIDE"}),
        ("", {"etc/resolv.conf": "OUTSIDE/kept", "etc/hosts": "OUTSIDE/made"}),
    ],
    ids=str,
)
def test_v1_what_the_runtime_mounts_on_is_a_link(
    engine: RunningEngine, tmp_path: Path, options: str, links: dict[str, str]
) -> None:
    """CVE-2025-31133, CVE-2025-52565, CVE-2025-52881, CVE-2026-41579: /dev/null, /dev/console, /proc, /dev."""
    outside = str(tmp_path / "outside")
    image(engine, "linked", {path: target.replace("OUTSIDE", outside) for path, target in links.items()})
    write = (
        "echo |x 2>/dev/null > /proc/sys/kernel/core_pattern; echo x 2>/dev/null > /dev/null; stat -c %t:%T /dev/null"
    )
    done = engine.docker(f"run --rm {options} --sysctl net.core.somaxconn=99 linked sh -c '{write}'")
    # It may be refused; where it runs, what it has written to was the container's own.
    assert done.code in {0, 1, 125, 126, 127}
    assert (tmp_path / "outside" / "kept").read_text() == "kept"
    engine.docker.ok("image rm linked")


def test_v1_a_device_is_swapped_for_a_link_while_it_starts(engine: RunningEngine) -> None:
    """CVE-2025-31133: /dev of one container is a volume in which another swaps ``null``."""
    docker = engine.docker
    docker.ok("volume create devices")
    swap = "cd /v; while :; do ln -sf /proc/sys/kernel/core_pattern null; rm null; done"
    docker.ok(f"run -d --name aa -v devices:/v busy sh -c '{swap}'")
    try:
        for _ in range(5):
            docker("run --rm -v devices:/dev busy sh -c 'stat -c %F /proc/keys'")
    finally:
        docker("rm -f aa")
        docker("volume rm devices")


def test_v1_no_descriptor_of_the_engine_is_inherited(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 60")
    pid = docker.inspect("aa")["State"]["Pid"]
    links = {os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
    assert not any(str(engine.data) in link or "/sys/fs/cgroup" in link for link in links)
