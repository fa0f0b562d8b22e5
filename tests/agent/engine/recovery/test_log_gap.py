"""A full disk cuts logs: where lines are missing, the log and an event say so; what comes after is whole again."""

import re
import time
from itertools import pairwise

from tests.agent.engine.conftest import running_engine
from tests.agent.engine.recovery.power import MIB, disk
from tests.agent.engine.recovery.test_faults import fill

TALK = "i=0; while true; do i=$((i+1)); echo n $i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; usleep 5000; done"


def test_a_gap_is_marked() -> None:
    with disk(64 * MIB) as on, running_engine("--disk-floor", "0") as engine:
        docker = engine.docker
        docker.ok(f"run -d --network none --name talk busy sh -c '{TALK}'")
        docker.ok("run -d --network none --name silent busy sleep 600")
        since = time.time() - 1
        # The engine may find the disk full too, and give its reserve up: that is filled as well.
        for _ in range(3):
            filler = fill(on)
            time.sleep(1.2)
        filler.unlink()
        ends = time.monotonic() + 20
        while "longshore: lines are missing here" not in docker("logs talk").err and time.monotonic() < ends:
            time.sleep(0.2)
        time.sleep(0.5)
        shown = docker("logs talk")
        assert shown.err.count("longshore: lines are missing here: the disk was full from ") == 1
        found = (re.fullmatch(r"n (\d+) x{38}", line) for line in shown.out.splitlines())
        numbers = [int(match[1]) for match in found if match]
        gaps = [(one, other) for one, other in pairwise(numbers) if other != one + 1]
        assert gaps
        assert len(docker.ok("logs --tail 20 talk").splitlines()) == 20
        assert docker("logs silent").err == ""
        told = docker.ok(f"events --since {since:.0f} --until {time.time() + 1:.0f} --filter event=log_gap")
        assert [" name=talk" in line for line in told.splitlines()] == [True]
