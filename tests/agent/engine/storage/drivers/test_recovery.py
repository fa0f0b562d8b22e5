"""What FUSE and copies make of engines that are killed, and of servers that die."""

import os
import signal
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine
from tests.agent.engine.storage.drivers.remains import leftovers, servers


def test_containers_outlive_the_engine(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --init --name one busy sh -c 'echo before > /srv; sleep 1000'")
    docker.ok("run -d --name two --restart always busy sh -c 'echo x >> /count; sleep 1000'")
    docker.ok("run --name three busy sh -c 'echo kept > /srv'")
    pid, before = docker.ok("inspect -f '{{.State.Pid}}' one"), servers(engine)
    engine.kill9()
    assert Path(f"/proc/{pid}/root/srv").read_text() == "before\n"
    engine.start()
    assert docker.ok("inspect -f '{{.State.Pid}}' one") == pid
    assert servers(engine) == before
    assert docker.ok("exec one sh -c 'echo after >> /srv; cat /srv'").split() == ["before", "after"]
    assert docker.ok("diff three").splitlines() == ["A /srv"]
    docker.ok("restart -t 0 two")
    assert docker.ok("exec two cat /count").split() == ["x", "x"]
    docker.ok("rm -f one two")
    assert "Total reclaimed space" in docker.ok("container prune -f")
    assert until(lambda: not leftovers(engine)), leftovers(engine)


@pytest.mark.parametrize("there", ["fuse-overlayfs"], indirect=True)
def test_a_dead_server_harms_its_container_alone(engine: RunningEngine) -> None:
    docker = engine.docker
    one, two, three = (docker.ok(f"run -d --init --name {name} busy sleep 1000") for name in ("one", "two", "three"))
    docker.ok("exec one sh -c 'echo kept > /srv'")
    os.kill(servers(engine)[one], signal.SIGKILL)
    assert docker("exec one cat /srv").code
    assert docker.ok("exec two echo fine") == "fine"
    docker.ok("restart -t 0 one")
    assert docker.ok("exec one cat /srv") == "kept"
    # … and where nobody sees it die
    engine.kill9()
    os.kill(servers(engine)[two], signal.SIGKILL)
    os.kill(servers(engine)[three], signal.SIGKILL)
    engine.start()
    assert docker.ok("exec one cat /srv") == "kept"
    docker.ok("restart -t 0 two")
    assert docker.ok("exec two echo again") == "again"
    docker.ok("rm -f one two three")
    assert until(lambda: not leftovers(engine)), leftovers(engine)


def test_a_data_root_keeps_its_driver(engine: RunningEngine) -> None:
    has = engine.options[1]
    engine.stop()
    engine.options = ("--storage-driver", "overlay2")
    with pytest.raises(RuntimeError, match=f"was made by the storage driver {has}"):
        engine.start()
    engine.options = ()
    engine.start()
    assert engine.docker.ok("info --format '{{.Driver}}'") == has
    engine.options = ("--storage-driver", has)
