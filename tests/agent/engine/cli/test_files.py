"""``docker cp``, binds, volumes, ``docker diff`` and ``docker export``."""

import io
import tarfile
import time
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import Docker


@pytest.mark.both_clis
def test_cp_in_and_out_of_a_stopped_container(docker: Docker, tmp_path: Path) -> None:
    docker.ok("run --name aa busy sh -c 'mkdir -p /d/sub; echo one > /d/f'")
    (tmp_path / "file").write_text("mine")
    docker.ok(f"cp {tmp_path}/file aa:/d/sub")
    docker.ok(f"cp aa:/d {tmp_path}/out")
    assert (tmp_path / "out/f").read_text() == "one\n"
    assert (tmp_path / "out/sub/file").read_text() == "mine"
    assert "aa" in docker(f"cp aa:/nosuch {tmp_path}/x").err
    status, answer = docker.api("GET", "/containers/aa/archive?path=/nosuch")
    assert (status, answer["message"]) == (404, "Could not find the file /nosuch in container aa")


@pytest.mark.both_clis
def test_cp_with_a_running_one_and_its_volume(docker: Docker, tmp_path: Path) -> None:
    docker.ok("run -d --name aa -v vol:/v busy sleep 600")
    (tmp_path / "file").write_text("mine")
    docker.ok(f"cp {tmp_path}/file aa:/v/got")
    assert docker.ok("exec aa cat /v/got") == "mine"
    assert docker.ok("run --rm -v vol:/w busy cat /w/got") == "mine"
    docker.ok("exec aa sh -c 'echo two > /v/two'")
    docker.ok(f"cp aa:/v/two {tmp_path}/two")
    assert (tmp_path / "two").read_text() == "two\n"


def test_a_bind(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("host")
    assert docker.ok(f"run --rm -v {tmp_path}:/b busy sh -c 'cat /b/f; echo new > /b/g'") == "host"
    assert (tmp_path / "g").read_text() == "new\n"
    assert "Read-only file system" in docker(f"run --rm -v {tmp_path}:/b:ro busy touch /b/x").err
    (tmp_path / "file").write_text("one")
    assert docker.ok(f"run --rm -v {tmp_path}/file:/file:ro busy cat /file") == "one"
    assert "Read-only file system" in docker(f"run --rm -v {tmp_path}/file:/file:ro busy sh -c 'echo > /file'").err
    assert docker.ok(f"run --rm -v {docker.socket}:/docker.sock:ro busy test -S /docker.sock") == ""


def test_trap_15_the_engine_s_own_socket_is_bound_as_it_is(docker: Docker) -> None:
    kind = docker.ok(f"run --rm -v {docker.socket}:/var/run/docker.sock busy stat -c %F /var/run/docker.sock")
    assert kind == "socket"


def test_a_volume_outlives_and_is_filled_from_the_image(docker: Docker) -> None:
    assert "passwd" in docker.ok("run --rm -v vol:/etc busy ls /etc")
    docker.ok("run --rm -v vol:/v busy touch /v/new")
    assert {"group", "new", "passwd"} <= set(docker.ok("run --rm -v vol:/v busy ls /v").split())
    assert "vol" in docker.ok("volume ls -q").split()


def test_diff_and_export(docker: Docker) -> None:
    docker.ok("run --name aa busy sh -c 'echo x > /added; rm /etc/group'")
    assert {"A /added", "D /etc/group"} <= set(docker.ok("diff aa").split("\n"))
    done = docker.start("export aa")
    out, _ = done.communicate(timeout=30)
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        assert {"added", "bin/busybox"} <= set(archive.getnames())


def test_c1_c4_a_running_container_cannot_lure_a_copy_out(docker: Docker, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host")
    swap = f"while :; do ln -s {tmp_path} /way; rm /way; ln -s /real /way; rm /way; done"
    docker.ok(f"run -d --name aa busy sh -c 'mkdir /real; echo mine > /real/secret; {swap}'")
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w") as archive:
        member = tarfile.TarInfo("secret")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    for _ in range(15):
        child = docker.start("cp aa:/way/secret -")
        out, _ = child.communicate(timeout=20)
        assert b"host" not in out
        docker("cp - aa:/way", stdin=evil.getvalue())
    assert secret.read_text() == "host"
    for path in ("/proc/1/root/etc/passwd", "/proc/self/root/etc/passwd", "/proc/1/fd/0/.", "/proc/1/cwd/"):
        status, _ = docker.api("GET", f"/containers/aa/archive?path={path}")
        assert status == 404, path


def test_the_length_of_a_short_archive_is_told(docker: Docker) -> None:
    docker.ok("create --name aa busy")
    short, long = (docker.headers(f"/containers/aa/archive?path={path}") for path in ("/etc/group", "/bin/busybox"))
    assert (short.get("Content-Length"), short.get("Transfer-Encoding")) == ("2048", None)
    assert (long.get("Content-Length"), long.get("Transfer-Encoding")) == (None, "chunked")


def test_a_place_for_a_mount_is_made_as_dockerd_makes_it(docker: Docker) -> None:
    docker.ok("run --name aa -v vol:/made/here --tmpfs /t busy true")
    done = docker.start("export aa")
    out, _ = done.communicate(timeout=30)
    with tarfile.open(fileobj=io.BytesIO(out)) as archive:
        assert [archive.getmember(name).mode for name in ("made", "made/here", "t")] == [0o755] * 3
    status, answer = docker.api("POST", "/containers/create", {"Image": "busy", "HostConfig": {"Binds": ["/a:/b:bad"]}})
    assert (status, answer) == (500, {"message": "invalid mode: bad"})


def test_cp_of_a_running_container_leaves_out_what_the_kernel_and_the_runtime_put_there(
    docker: Docker, tmp_path: Path
) -> None:
    docker.ok("run -d --name aa -v vol:/v busy sleep 600")
    docker.ok("exec aa sh -c 'echo one > /v/f'")
    docker.ok(f"cp aa:/. {tmp_path}/out")
    assert (tmp_path / "out/v/f").read_text() == "one\n"
    assert [list((tmp_path / "out" / name).iterdir()) for name in ("proc", "sys", "dev")] == [[], [], []]
    for path in ("/proc/version", "/dev/null", "/sys/kernel/uevent_seqnum"):
        assert f"Could not find the file {path} in container aa" in docker(f"cp aa:{path} -").err


def test_an_archive_that_is_refused_is_read_to_its_end(docker: Docker, tmp_path: Path) -> None:
    docker.ok("create --name aa busy")
    (tmp_path / "f").write_bytes(b"x" * 50_000)
    for _ in range(5):
        done = docker(f"cp {tmp_path}/f aa:/etc/passwd/x")
        assert done.err.strip() == "Error response from daemon: extraction point is not a directory"


def test_a_copy_into_a_stopped_container_s_volume_tells_of_the_mount(docker: Docker, tmp_path: Path) -> None:
    id_ = docker.ok("create --name aa -v vol:/v busy")
    (tmp_path / "f").write_text("mine")
    since = time.time()
    docker.ok(f"cp {tmp_path}/f aa:/v/f")
    told = docker.ok(
        f"events --since {since - 1:.3f} --until {time.time() + 0.1:.3f} --filter type=volume --filter event=mount"
        " --filter event=unmount --format '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.container}}'"
    ).splitlines()
    assert told[-2:] == [f"mount vol {id_}", f"unmount vol {id_}"]
