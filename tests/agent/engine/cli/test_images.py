"""``docker images``, ``save | load``, ``import``, ``commit``, ``tag``, ``rmi``."""

import json
import time

import pytest

from tests.agent.engine.cli.docker import Docker
from tests.busybox import rootfs_tar


@pytest.mark.both_clis
def test_list_inspect_history(docker: Docker) -> None:
    assert "busy" in docker.ok("images --format '{{.Repository}}'").split()
    found = json.loads(docker.ok("image inspect busy"))[0]
    assert found["RepoTags"] == ["busy:latest"]
    assert docker.ok("history -q busy")


@pytest.mark.both_clis
def test_save_and_load(docker: Docker) -> None:
    docker.ok("tag busy saved:1")
    child = docker.start("save saved:1")
    archive, _ = child.communicate(timeout=30)
    docker.ok("rmi saved:1")
    assert "saved:1" in docker.ok("load", stdin=archive)
    assert docker.ok("run --rm saved:1 echo hi") == "hi"


def test_trap_8_every_name_of_an_image(docker: Docker) -> None:
    id_ = json.loads(docker.ok("image inspect busy"))[0]["Id"]
    for name in ("busy", "busy:latest", "docker.io/library/busy", "library/busy:latest", id_, id_[7:], id_[7:19]):
        assert docker.ok(f"run --rm --pull never {name} echo hi") == "hi", name


def test_commit(docker: Docker) -> None:
    docker.ok("run --name aa busy touch /made")
    docker.ok('commit -c \'CMD ["ls", "/made"]\' aa made:1')
    assert docker.ok("run --rm made:1") == "/made"


def test_an_image_in_use_is_kept(docker: Docker) -> None:
    docker.ok("tag busy used:1")
    docker.ok("create --name aa used:1")
    docker.ok("rmi used:1")
    assert docker("rmi nosuch").code == 1


def test_events_of_images(docker: Docker) -> None:
    since = time.time()
    docker.ok("create --name aa -l k=v busy")
    docker.ok("commit aa made")
    docker.ok("rmi made")
    docker.ok("import - other", stdin=rootfs_tar())
    out = docker.ok(
        f"events --since {since:.9f} --until {time.time() + 0.1:.9f} -f type=image --format '{{{{json .}}}}'"
    )
    told = [(event["Action"], event["Actor"]["Attributes"]) for event in map(json.loads, out.split("\n"))]
    assert [action for action, _ in told] == ["tag", "untag", "delete", "tag", "import"]
    assert told[0][1] == {"k": "v", "name": "made:latest"}
    assert set(told[2][1]) == {"name"}
    assert told[3][1]["name"] == "other:latest"
