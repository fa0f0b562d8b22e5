"""What may die, stop or fill up around a container, one after the other; nothing else is touched by it."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import until
from tests.agent.engine.conftest import RunningEngine, running_engine
from tests.agent.engine.recovery.power import MIB, Disk, disk

COUNT = "sh -c 'i=0; while :; do echo $i || exit 9; i=$((i+1)); sleep 0.05; done'"
SOON = 10.0
"""Seconds within which an end is told; it is 2 on a machine that has time."""


def processes(engine: RunningEngine, name: str) -> tuple[int, int]:
    """The container's first process, and its conmon."""
    pid = engine.docker.inspect(name)["State"]["Pid"]
    return pid, int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def gone(pid: int) -> bool:
    """No process of that number, nor a zombie."""
    return not Path(f"/proc/{pid}").exists()


def numbers(engine: RunningEngine, name: str) -> list[int]:
    return [int(line) for line in engine.docker.ok(f"logs {name}").split()]


def status(engine: RunningEngine, name: str) -> str:
    found: str = engine.docker.inspect(name)["State"]["Status"]
    return found


def test_conmon_is_killed(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name quiet busy sleep 600")
    docker.ok(f"run -d --name loud busy {COUNT}")
    until(lambda: len(numbers(engine, "loud")) > 3)
    for name in ("quiet", "loud"):
        pid, conmon = processes(engine, name)
        os.kill(conmon, signal.SIGKILL)
        until(lambda conmon=conmon: gone(conmon))
    # One that writes finds nobody who listens; one that does not goes on, and can be stopped.
    until(lambda: status(engine, "loud") == "exited", SOON)
    lines = numbers(engine, "loud")
    assert lines == list(range(len(lines)))
    assert status(engine, "quiet") == "running"
    assert docker.ok("exec quiet echo hi") == "hi"
    pid, _ = processes(engine, "quiet")
    docker.ok("stop -t 0 quiet")
    assert docker.inspect("quiet")["State"]["ExitCode"] == 137
    assert gone(pid)
    docker.ok("start quiet")
    docker.ok("rm -f quiet loud")


def test_conmon_and_engine_are_killed(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok("run -d --name stays busy sleep 600")
    docker.ok("run -d --name goes busy sleep 600")
    stays, goes = processes(own_engine, "stays"), processes(own_engine, "goes")
    own_engine.kill9()
    for number in (stays[1], goes[1], goes[0]):
        os.kill(number, signal.SIGKILL)
    own_engine.start()
    assert docker.inspect("stays")["State"]["Pid"] == stays[0]
    state = docker.inspect("goes")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 255)
    os.kill(stays[0], signal.SIGKILL)
    until(lambda: status(own_engine, "stays") == "exited", SOON)
    docker.ok("start stays goes")


def test_the_first_process_is_killed(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name aa busy sleep 600")
    pid, conmon = processes(engine, "aa")
    began = time.time()
    os.kill(pid, signal.SIGKILL)
    until(lambda: status(engine, "aa") == "exited", SOON)
    state = docker.inspect("aa")["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (137, False)
    until(lambda: gone(pid) and gone(conmon))
    print(f"reported after {time.time() - began:.2f} s")


def test_the_engine_is_stopped_for_a_while(own_engine: RunningEngine) -> None:
    docker = own_engine.docker
    docker.ok(f"run -d --name on busy {COUNT}")
    docker.ok("run -d --name off busy sh -c 'sleep 1; exit 4'")
    until(lambda: numbers(own_engine, "on"))
    process = own_engine.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    log = next((own_engine.data / "containers").glob("*/*-json.log"))
    time.sleep(3)
    process.send_signal(signal.SIGCONT)
    until(lambda: status(own_engine, "off") == "exited", SOON)
    back = time.time()
    assert docker.inspect("off")["State"]["ExitCode"] == 4
    told = docker.ok(f"events --since {back - 60:.0f} --until {back + 1:.0f} --filter event=die --format json")
    assert len(told.splitlines()) == 1
    lines = numbers(own_engine, "on")
    assert lines == list(range(len(lines)))
    assert len(lines) > 30
    assert log.exists()


def test_memory_runs_out(engine: RunningEngine) -> None:
    docker = engine.docker
    done = docker("run --name aa -m 16m --memory-swap 16m busy sh -c 'tail /dev/zero'", timeout=60)
    assert done.code == 137
    state = docker.inspect("aa")["State"]
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)


def test_upgrade_and_downgrade_with_a_container_up(own_engine: RunningEngine, tmp_path: Path) -> None:
    """N, then N+1 with one more version of the schema, then N again, which refuses and harms nothing."""
    docker = own_engine.docker
    docker.ok("run -d --name aa busy sleep 600")
    pid = docker.inspect("aa")["State"]["Pid"]
    own_engine.stop()
    shutil.copytree(own_engine.code / "agent", tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    schema = tmp_path / "agent/engine/state/migrations.py"
    schema.write_text(schema.read_text() + '\nMIGRATIONS = (*MIGRATIONS, ("CREATE TABLE more (id TEXT)",))\n')
    older, own_engine.code = own_engine.code, tmp_path
    own_engine.start()
    assert docker.inspect("aa")["State"]["Pid"] == pid
    docker.ok("create --name bb busy true")
    own_engine.stop()
    own_engine.code = older
    with pytest.raises(RuntimeError, match="run the newer engine"):
        own_engine.start()
    assert Path(f"/proc/{pid}").exists()
    own_engine.code = tmp_path
    own_engine.start()
    assert docker.inspect("aa")["State"]["Pid"] == pid
    assert docker.inspect("bb")["State"]["Status"] == "created"


def test_folders_that_a_power_cut_took_are_made_again(own_engine: RunningEngine) -> None:
    """The record is synced, the folders made before it are not: no create waits for them."""
    docker = own_engine.docker
    docker.ok("create --name aa busy sh -c 'touch /file; echo hi'")
    docker.ok("run --name bb busy touch /file")
    own_engine.stop()
    for folder in ("snapshots", "containers"):
        for entry in (own_engine.data / folder).iterdir():
            shutil.rmtree(entry)
    own_engine.start()
    for name in ("aa", "bb"):
        docker.ok(f"start -a {name}")
        docker.ok(f"cp {name}:/file -")
    docker.ok("rm aa bb")


def test_a_crash_loop_slows_down(engine: RunningEngine) -> None:
    docker = engine.docker
    for number in range(5):
        docker.ok(f"run -d --name c{number} --restart always busy false")
    time.sleep(4)
    counts = [docker.inspect(f"c{number}")["RestartCount"] for number in range(5)]
    # 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s
    assert all(1 <= count <= 6 for count in counts), counts
    began = time.monotonic()
    docker.ok("ps -a")
    assert time.monotonic() - began < SOON


@pytest.fixture
def cramped() -> Iterator[tuple[RunningEngine, Disk]]:
    with disk(64 * MIB) as on, running_engine("--disk-floor", "0") as engine:
        yield engine, on


def fill(on: Disk) -> Path:
    """Leave not a byte."""
    filler = on.place / "filler"
    for size in ("1M", "4k", "1"):
        argv = ["dd", "if=/dev/zero", f"of={filler}", f"bs={size}", "oflag=append", "conv=notrunc"]
        subprocess.run(argv, capture_output=True, check=False)
    assert shutil.disk_usage(on.place).free < 4096
    return filler


def test_the_disk_is_full(cramped: tuple[RunningEngine, Disk]) -> None:
    engine, on = cramped
    docker = engine.docker
    docker.ok(f"run -d --name on busy {COUNT}")
    docker.ok("run -d --name off busy sleep 600")
    docker.ok("run -d --name gone --rm busy sleep 600")
    docker.ok("create --name old busy true")
    docker.ok("volume create spare")
    docker.ok("network create net")
    pid = docker.inspect("on")["State"]["Pid"]
    since, filler = time.time() - 1, fill(on)
    for method, path, body in (
        ("POST", "/containers/create?name=new", {"Image": "busy"}),
        ("POST", "/volumes/create", {"Name": "another"}),
        ("POST", "/networks/create", {"Name": "another"}),
    ):
        code, answer = docker.api(method, path, body)
        assert code == 507, (path, answer)
        assert "no space left" in answer["message"].lower()
    assert docker.inspect("on")["State"]["Pid"] == pid
    assert docker.ok("exec on echo hi") == "hi"
    docker.ok("stop -t 0 off")
    docker.ok("rm off")
    docker.ok("kill gone")
    until(lambda: docker("inspect gone").code != 0)
    docker.ok("container prune -f")
    assert docker.api("POST", "/volumes/prune?filters=%7B%22all%22%3A%5B%221%22%5D%7D")[0] == 200
    docker.ok("network prune -f")
    docker.ok("image prune -f")
    assert {row["Names"][0] for row in docker.api("GET", "/containers/json?all=1")[1]} == {"/on"}
    filler.unlink()
    # Without a restart: new work is taken, and the log goes on.
    until(lambda: docker("run --rm --name new busy true").code == 0, 20)
    last = numbers_whole(engine, "on")
    until(lambda: numbers_whole(engine, "on") > last)
    assert docker.inspect("on")["State"]["Pid"] == pid
    told = docker.ok(f"events --since {since:.0f} --until {time.time() + 1:.0f} --filter type=daemon")
    assert len([line for line in told.splitlines() if "disk.full" in line]) == 1


def numbers_whole(engine: RunningEngine, name: str) -> int:
    """The last number of a log that may have a gap."""
    return max((int(line) for line in engine.docker.ok(f"logs --tail 20 {name}").split() if line.isdigit()), default=0)


def test_no_file_can_be_made() -> None:
    with disk(64 * MIB, files=1500) as on, running_engine("--disk-floor", "0") as engine:
        docker = engine.docker
        docker.ok("run -d --name on busy sleep 600")
        docker.ok("create --name old busy sleep 600")
        filler = on.place / "filler"
        filler.mkdir()
        with contextlib.suppress(OSError):
            for number in range(1500):
                (filler / str(number)).touch()
        code, answer = docker.api("POST", "/containers/create?name=new", {"Image": "busy"})
        assert (code, "no space left" in answer["message"].lower()) == (507, True)
        assert docker("inspect new").code != 0
        assert docker.ok("exec on true") == ""
        docker.ok("rm -f on")
        shutil.rmtree(filler)
        docker.ok("run --rm --name new busy true")
        docker.ok("start old")


def test_the_disk_becomes_read_only(cramped: tuple[RunningEngine, Disk]) -> None:
    engine, on = cramped
    docker = engine.docker
    docker.ok("run -d --name on busy sleep 600")
    pid = docker.inspect("on")["State"]["Pid"]
    on.fail()
    code, answer = docker.api("POST", "/containers/create?name=new", {"Image": "busy"})
    assert code in {500, 507}, answer
    assert answer["message"]
    assert docker.inspect("on")["State"]["Pid"] == pid
    assert docker("inspect new").code != 0
    assert docker.ok("exec on echo hi") == "hi"
