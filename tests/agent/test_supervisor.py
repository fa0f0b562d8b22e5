"""The supervisor: what dies is started again, later and later; a stop ends all of it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.engine.commandline import parse
from agent.supervisor import FIRST_PAUSE, LONGEST_PAUSE, WELL_SECONDS, Child, Supervisor, commands


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def settled(supervisor: Supervisor, child: Child) -> None:
    """Let a child that ends by itself end, and be reaped."""
    assert child.process is not None
    child.process.wait(5)
    supervisor.tick()


def test_it_works(tmp_path: Path) -> None:
    clock = Clock()
    child = Child("x", [sys.executable, "-c", "raise SystemExit(3)"])
    supervisor = Supervisor([child], clock)
    supervisor.tick()
    pauses = []
    for _ in range(7):
        settled(supervisor, child)
        pauses.append(child.next_start - clock.now)
        clock.now = child.next_start
        supervisor.tick()
        assert child.process is not None
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    settled(supervisor, child)


def test_one_that_was_well_starts_soon_again() -> None:
    clock = Clock()
    child = Child("x", [sys.executable, "-c", ""], pause=LONGEST_PAUSE)
    supervisor = Supervisor([child], clock)
    supervisor.tick()
    clock.now += WELL_SECONDS
    settled(supervisor, child)
    assert child.next_start - clock.now == FIRST_PAUSE


def test_a_host_that_is_not_enrolled_is_not_hammered() -> None:
    clock = Clock()
    child = Child("link", [sys.executable, "-c", "raise SystemExit(78)"])
    supervisor = Supervisor([child], clock)
    supervisor.tick()
    settled(supervisor, child)
    assert child.next_start - clock.now == LONGEST_PAUSE


def test_what_is_run() -> None:
    own = commands(Path("/s"), None, "/run/netns/n")
    assert [child.name for child in own] == ["engine", "link"]
    assert own[0].argv[-2:] == ["--netns", "/run/netns/n"]
    assert not any(word.startswith("@") for word in own[0].argv)
    existing = commands(Path("/s"), "unix:///var/run/docker.sock", None)
    assert [child.name for child in existing] == ["link"]
    assert "unix:///var/run/docker.sock" in existing[0].argv


def test_the_engines_options_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "engine.options").write_text(
        "# as in daemon.json\n--log-driver=local\n\n--log-opt max-size=5m  # small\n--label 'a=b c'\n"
    )
    argv = commands(tmp_path, None, None)[0].argv
    config = parse(argv[argv.index("engine") + 1 :])
    assert (config.log_driver, config.log_options, config.labels) == ("local", {"max-size": "5m"}, ("a=b c",))
    assert config.root == tmp_path / "engine"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_every_child(tmp_path: Path, number: signal.Signals) -> None:
    program = (
        "import sys; from agent.supervisor import *\n"
        "kid = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "sys.exit(Supervisor([Child('a', kid), Child('b', kid)]).run())"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + 10
    while len(children.read_text().split()) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    pids = [int(pid) for pid in children.read_text().split()]
    process.send_signal(number)
    assert process.wait(10) == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_killed_child_comes_back_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from agent.supervisor import *\n"
        "sys.exit(Supervisor([Child('a', [sys.executable, '-c', 'import time; time.sleep(60)'])]).run())"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def child(other_than: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        while not (found := children.read_text().strip()) or found == other_than:
            assert time.monotonic() < end
            time.sleep(0.02)
        return found

    first = child("", 10)
    os.kill(int(first), signal.SIGKILL)
    assert child(first, 3)
    process.terminate()
    assert process.wait(10) == 0
