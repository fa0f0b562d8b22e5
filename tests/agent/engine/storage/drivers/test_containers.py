"""Containers, commits, builds and copies by FUSE and by whole copies."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

from tests.agent.engine.build.test_builds import context
from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine
from tests.agent.engine.storage.drivers.remains import leftovers


def layer_names(engine: RunningEngine, image: str) -> list[set[str]]:
    """The names in each of an image's layers as they are saved, bottom first."""
    raw = subprocess.run(
        [engine.docker.program, "save", image], env=engine.docker.env, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        manifest = json.loads(archive.extractfile("manifest.json").read())
        return [set(tarfile.open(fileobj=archive.extractfile(name)).getnames()) for name in manifest[0]["Layers"]]


def test_it_works(engine: RunningEngine) -> None:
    docker, driver = engine.docker, engine.options[1]
    info = json.loads(docker.ok("info --format '{{json .}}'"))
    assert (info["Driver"], info["DriverStatus"]) == (driver, [] if driver == "fuse-overlayfs" else None)
    docker.ok(
        "run --name one busy sh -c 'echo new > /srv; echo more >> /etc/group; rm -r /home; chmod 700 /var;"
        " ln /srv /srv2; mkdir -p /a/b; mknod /a/pipe p; cat /srv'"
    )
    wanted = ["A /a", "A /a/b", "A /a/pipe", "C /etc", "C /etc/group", "D /home", "A /srv", "A /srv2", "C /var"]
    assert docker.ok("diff one").splitlines() == wanted
    shown = json.loads(docker.ok("inspect -s one"))[0]
    assert shown["GraphDriver"]["Name"] == shown["Driver"] == driver
    assert (shown["GraphDriver"]["Data"] is None) == (driver == "vfs")
    assert 0 < shown["SizeRw"] < 1000 < shown["SizeRootFs"]
    assert json.loads(docker.ok("image inspect busy"))[0]["GraphDriver"]["Name"] == driver
    docker.ok("rm one")
    assert until(lambda: not leftovers(engine)), leftovers(engine)


def test_a_commit_removes_what_was_removed(engine: RunningEngine) -> None:
    docker = engine.docker
    made = "mkdir -p /d/e /gone /kept; touch /d/e/old /d/old /gone/x /kept/x /kept/y; ln /kept/x /kept/link"
    docker.ok(f"run --name one busy sh -c '{made}'")
    docker.ok("commit one first")
    docker.ok(
        "run --name two first sh -c 'rm -r /d /gone /kept/y; mkdir -p /d/e; touch /d/e/new; chown 5:6 /kept/x; sync'"
    )
    docker.ok("commit two second")
    found = sorted(docker.ok("run --rm second find /d /kept").split())
    assert found == ["/d", "/d/e", "/d/e/new", "/kept", "/kept/link", "/kept/x"]
    owners = docker.ok("run --rm second stat -c %u:%g:%h /kept/x /kept/link").split()
    # An overlay keeps a change of one file with two names under one of them.
    assert "5:6:1" in owners if engine.options[1] == "fuse-overlayfs" else owners == ["5:6:2", "5:6:2"]
    assert "No such file" in docker("run --rm second ls /gone").err
    top = layer_names(engine, "second")[-1]
    assert {".wh.gone", "kept/.wh.y", "d/e/new"} <= top
    # A folder that was made anew either hides all of the old one, or says of each name that it is gone.
    assert "d/.wh..wh..opq" in top or {"d/.wh.old", "d/e/.wh.old"} <= top
    # The same bytes again: another engine, with another driver, takes the image for what it is.
    saved = subprocess.run([docker.program, "save", "second"], env=docker.env, capture_output=True, check=True).stdout
    docker.ok("rm one two")
    docker.ok("rmi second first")
    docker.ok("load", stdin=saved)
    assert docker.ok("run --rm second find /d").split() == ["/d", "/d/e", "/d/e/new"]
    assert docker("run --rm second sh -c 'touch /d/.wh.x'").err or "x" not in docker.ok("run --rm second ls /d")


def test_a_build(engine: RunningEngine) -> None:
    docker = engine.docker
    dockerfile = (
        "FROM busy AS base\nRUN mkdir /x && touch /x/one /x/two\nRUN rm /x/one && echo 2 > /x/two\n"
        "FROM busy\nWORKDIR /w\nCOPY --from=base /x /x\nCOPY file sub/\nRUN rm -r /x && mkdir /x && touch /x/three\n"
    )
    docker.ok("build -t made -", stdin=context(dockerfile, {"file": "content"}))
    assert docker.ok("run --rm made sh -c 'ls /x; cat sub/file'").split() == ["three", "content"]
    assert "Using cache" in docker.ok("build -t made -", stdin=context(dockerfile, {"file": "content"}))
    assert until(lambda: not leftovers(engine)), leftovers(engine)


def test_files_in_and_out(engine: RunningEngine, tmp_path: Path) -> None:
    docker = engine.docker
    (tmp_path / "in").write_text("from outside")
    docker.ok("run -d --init --name one busy sleep 1000")
    docker.ok("create --name two busy cat /tmp/in")
    for name in ("one", "two"):
        docker.ok(f"cp {tmp_path}/in {name}:/tmp/in")
        docker.ok(f"cp {name}:/tmp/in {tmp_path}/out")
        assert (tmp_path / "out").read_text() == "from outside"
        assert "A /tmp/in" in docker.ok(f"diff {name}").splitlines()
        raw = subprocess.run([docker.program, "export", name], env=docker.env, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            assert archive.extractfile("tmp/in").read() == b"from outside"
            assert not [name for name in archive.getnames() if ".wh." in name]
    assert docker.ok("start -a two") == "from outside"
    assert docker.ok("exec one cat /tmp/in") == "from outside"
