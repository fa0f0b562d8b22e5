"""Every kind of mount in a container that runs: what it shows, what it refuses, and where links in it lead."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.engine.conftest import IMAGE, RunningEngine


def create(engine: RunningEngine, mount: dict[str, Any], *program: str, version: str = "v1.47") -> tuple[int, Any]:
    body = {"Image": IMAGE, "Cmd": list(program) or ["true"], "HostConfig": {"Mounts": [mount]}}
    return engine.docker.api("POST", f"/{version}/containers/create?name=mm", body)


def output(engine: RunningEngine, mount: dict[str, Any], *program: str) -> str:
    """What a program says in a container with this mount; its error, where it fails."""
    status, answer = create(engine, mount, *program)
    assert status == 201, answer
    try:
        done = engine.docker("start -a mm")
        return done.out + done.err
    finally:
        engine.docker("rm -f -v mm")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A directory with another file system mounted in it."""
    (tmp_path / "tree/inner").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "inner", tmp_path / "tree/inner"], check=True)
    yield tmp_path / "tree"
    subprocess.run(["umount", tmp_path / "tree/inner"], check=True)


def test_read_only_is_recursive_unless_asked_otherwise(engine: RunningEngine, tree: Path) -> None:
    write = ("sh", "-c", "touch /t/inner/x && echo wrote; touch /t/y && echo wrote outside")
    given = {"Type": "bind", "Source": str(tree), "Target": "/t", "ReadOnly": True}
    assert "wrote" not in output(engine, given, *write)
    assert "wrote" not in output(engine, {**given, "BindOptions": {"ReadOnlyForceRecursive": True}}, *write)
    flat = output(engine, {**given, "BindOptions": {"ReadOnlyNonRecursive": True}}, *write)
    assert "wrote" in flat
    assert "wrote outside" not in flat
    shallow = output(engine, {**given, "BindOptions": {"NonRecursive": True}}, "grep", "-c", " /t", "/proc/mounts")
    assert shallow.strip() == "1"
    status, _ = create(engine, given, *write, version="v1.43")
    assert status == 201
    assert "wrote" in engine.docker("start -a mm").out
    engine.docker.ok("rm mm")


@pytest.mark.parametrize(
    ("mount", "status", "words"),
    [
        ({"Type": "cluster", "Source": "x"}, 400, 'invalid mount config for type "cluster": mount type unknown'),
        ({"Type": "npipe", "Source": "x"}, 400, 'invalid mount config for type "npipe": mount type unknown'),
        ({"Type": "", "Source": "x"}, 400, 'invalid mount config for type "": mount type unknown'),
        ({"Type": "bind", "Source": "/nosuch"}, 400, "bind source path does not exist: /nosuch"),
        ({"Type": "bind", "Source": "x"}, 400, "invalid mount path: 'x' mount path must be absolute"),
        ({"Type": "bind", "Source": "/", "BindOptions": {"Propagation": "x"}}, 400, "invalid propagation mode: x"),
        ({"Type": "bind", "Source": "/", "BindOptions": {"ReadOnlyNonRecursive": True}}, 400, "!ReadOnly && Bind"),
        ({"Type": "bind", "Source": "/", "TmpfsOptions": {}}, 400, "field TmpfsOptions must not be specified"),
        ({"Type": "volume", "Source": "v", "ImageOptions": {}}, 400, "field ImageOptions must not be specified"),
        ({"Type": "volume", "VolumeOptions": {"Subpath": "a"}}, 400, "must not set Subpath when using anonymous"),
        ({"Type": "volume", "Source": "v", "VolumeOptions": {"Subpath": "../a"}}, 400, "must be a relative path"),
        ({"Type": "volume", "Source": "v", "VolumeOptions": {"Subpath": "/a"}}, 400, "must be a relative path"),
        ({"Type": "tmpfs", "TmpfsOptions": {"Options": [["size", "1"]]}}, 400, "invalid option: size"),
        ({"Type": "tmpfs", "TmpfsOptions": {"Options": [[]]}}, 400, "invalid option array length"),
        ({"Type": "tmpfs", "Source": "x"}, 400, "field Source must not be specified"),
        ({"Type": "image"}, 400, "field Source must not be empty"),
        ({"Type": "image", "Source": "nosuch:1"}, 404, "No such image: nosuch:1"),
        ({"Type": "volume", "Source": "v", "VolumeOptions": {"DriverConfig": {"Name": "nosuch"}}}, 404,
         'plugin "nosuch" not found'),
    ],
)  # fmt: skip
def test_refused(engine: RunningEngine, mount: dict[str, Any], status: int, words: str) -> None:
    found, answer = create(engine, {"Target": "/t", **mount})
    assert found == status, answer
    assert words in answer["message"]
    assert engine.docker.ok("ps -aq") == ""


def test_older_versions_do_not_know_everything(engine: RunningEngine) -> None:
    subpath = {"Type": "volume", "Source": "v", "Target": "/t", "VolumeOptions": {"Subpath": "a"}}
    assert create(engine, subpath, version="v1.44")[1]["message"] == "VolumeOptions.Subpath needs API v1.45 or newer"
    forced = {"Type": "bind", "Source": "/", "Target": "/t", "BindOptions": {"ReadOnlyForceRecursive": True}}
    assert "needs API v1.44 or newer" in create(engine, forced, version="v1.43")[1]["message"]


def test_a_part_of_a_volume(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok(
        f"run --rm -v parts:/v {IMAGE} sh -c 'mkdir -p /v/a/b; echo deep > /v/a/b/f; ln -s a /v/in; echo x > /v/f'"
    )
    docker.ok(f"run --rm -v parts:/v {IMAGE} sh -c 'ln -s / /v/out; ln -s ../../../../../../etc /v/up'")

    def part(path: str, *program: str) -> str:
        options = {"VolumeOptions": {"Subpath": path}}
        return output(engine, {"Type": "volume", "Source": "parts", "Target": "/t", **options}, *program)

    assert part("a/b", "cat", "/t/f") == "deep\n"
    assert part("in/b", "cat", "/t/f") == "deep\n"
    assert part("f", "cat", "/t") == "x\n"
    assert part("a/../a", "ls", "/t") == "b\n"
    for path in ("out", "out/etc", "up"):
        assert "it leads out of its volume" in part(path, "ls", "/t")
    assert "no such file or directory" in part("nosuch", "ls", "/t")


def test_a_part_swapped_for_a_link_never_leads_out(engine: RunningEngine, tmp_path: Path) -> None:
    docker = engine.docker
    (tmp_path / "secret").write_text("host")
    docker.ok("volume create swapped")
    docker.ok(f"run -d --name swapper -v swapped:/v {IMAGE} sh -c "
              f"'while true; do mkdir /v/p; rmdir /v/p; ln -s {tmp_path} /v/p; rm /v/p; done'")  # fmt: skip
    ends = time.monotonic() + 4
    while time.monotonic() < ends:
        said = output(
            engine,
            {"Type": "volume", "Source": "swapped", "Target": "/t", "VolumeOptions": {"Subpath": "p"}},
            "cat", "/t/secret",
        )  # fmt: skip
        assert "host" not in said.split()
    docker.ok("rm -f swapper")
    docker.ok("volume rm swapped")


def test_an_image(engine: RunningEngine) -> None:
    given = {"Type": "image", "Source": IMAGE, "Target": "/image"}
    assert "busybox" in output(engine, given, "ls", "/image/bin")
    assert "Read-only file system" in output(engine, given, "touch", "/image/x")
    assert "busybox" in output(engine, {**given, "ImageOptions": {"Subpath": "bin"}}, "ls", "/image")
    status, answer = create(engine, given, "sleep", "1000")
    assert status == 201, answer
    engine.docker.ok("start mm")
    (point,) = engine.docker.api("GET", "/containers/mm/json")[1]["Mounts"]
    assert (point["Type"], point["Name"], point["RW"]) == ("image", IMAGE, False)
    engine.docker.ok("stop -t 0 mm")
    engine.docker.ok("start mm")
    assert "busybox" in engine.docker.ok("exec mm ls /image/bin")
    engine.docker.ok("rm -f mm")
    ends = time.monotonic() + 20
    while list((engine.data / "snapshots").iterdir()):
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_an_image_survives_the_engine(own_engine: RunningEngine) -> None:
    status, answer = create(own_engine, {"Type": "image", "Source": IMAGE, "Target": "/image"}, "sleep", "1000")
    assert status == 201, answer
    own_engine.docker.ok("start mm")
    own_engine.kill9()
    own_engine.start()
    assert "busybox" in own_engine.docker.ok("exec mm ls /image/bin")


def test_tmpfs(engine: RunningEngine) -> None:
    options = {"SizeBytes": 1 << 20, "Mode": 0o1750, "Options": [["exec"]]}
    said = output(
        engine,
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": options},
        "sh",
        "-c",
        "grep ' /t ' /proc/mounts;stat -c %a /t",
    )
    assert "size=1024k" in said
    assert "noexec" not in said
    assert "1750" in said
    read_only = output(engine, {"Type": "tmpfs", "Target": "/t", "ReadOnly": True}, "touch", "/t/x")
    assert "Read-only file system" in read_only


def test_selinux_words_do_no_harm(engine: RunningEngine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    for mode in ("z", "Z", "ro,z"):
        assert engine.docker.ok(f"run --rm -v {tmp_path}:/t:{mode} {IMAGE} cat /t/f") == "x"


def test_a_mountpoint_is_made_when_asked(engine: RunningEngine, tmp_path: Path) -> None:
    given = {"Type": "bind", "Source": str(tmp_path / "new/dir"), "Target": "/t"}
    output(engine, {**given, "BindOptions": {"CreateMountpoint": True}}, "touch", "/t/x")
    assert (tmp_path / "new/dir/x").exists()
