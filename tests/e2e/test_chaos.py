"""Orders under kills: none lost, none twice; containers keep their pids; open log views go on without gap or repeat.

Each container writes ``started`` when its process begins, into its own log on the host's disk, so the number of starts
that an order caused can be counted long after. A page of the dashboard watches: it loses the server, comes back by
itself and shows all as it is. ``LONGSHORE_CHAOS_ORDERS`` asks for more than the short form.
"""

import json
import os
import random
import secrets
import time
from typing import Any

import pytest
import requests

from tests import busybox
from tests.e2e.chaos import VICTIMS, Killer
from tests.e2e.logview import LogView
from tests.e2e.pagewatch import PageWatch
from tests.lab import Lab, LabHost

ORDERS = int(os.environ.get("LONGSHORE_CHAOS_ORDERS", "60"))
KILLS_EACH = 5 if ORDERS >= 300 else 2
PATIENCE = 300 if ORDERS >= 300 else 120
FINAL = {"done", "failed", "expired", "cancelled"}


def _insist(lab: Lab, method: str, path: str, body: Any = None) -> Any:
    """A REST call that is repeated under one idempotency key until the control plane answers it."""
    key = {"Idempotency-Key": secrets.token_hex(16)} if method != "GET" else {}
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = lab.request(method, path, body, headers=key, timeout=20)
            if answer.status_code < 500 and answer.status_code != 409:
                assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
                return answer.json()
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline, f"{method} {path}: no answer within 60 s"
        time.sleep(0.3)


def _ended(lab: Lab, orders: list[str]) -> dict[str, Any]:
    """Wait until every order is final; answers them by id."""
    ended: dict[str, Any] = {}
    deadline = time.monotonic() + PATIENCE
    while len(ended) < len(orders):
        for order in orders:
            if order not in ended:
                answer = _insist(lab, "GET", f"orders/{order}/")
                if answer["state"] in FINAL:
                    ended[order] = answer
        missing = [o for o in orders if o not in ended]
        assert time.monotonic() < deadline, (
            f"{len(missing)} orders did not end, the first: {missing[:3]}\n{lab.logs(40)}"
        )
        time.sleep(0.2)
    return ended


def _starts(host: LabHost, name: str) -> int:
    return host.docker("logs", name).stdout.split().count("started")


def _pids(host: LabHost) -> dict[str, int]:
    ids = host.docker("ps", "-q", "--filter", "name=steady").stdout.split()
    rows = json.loads(host.docker("inspect", *ids).stdout)
    return {row["Name"]: row["State"]["Pid"] for row in rows}


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_orders_survive_kills(lab: Lab) -> None:
    hosts = [h for h in lab.hosts.values() if h.engine is None and h.process]
    if len(hosts) < 3:
        hosts.append(lab.add_host("third-1"))
        busybox.import_into(hosts[-1].socket)
    tag = secrets.token_hex(3)
    for host in hosts:
        counter = 'i=0; while true; do i=$((i+1)); echo "n $i"; sleep 0.05; done'
        host.docker("run", "-d", "--name", f"steady-{tag}", "busybox", "sh", "-c", counter)
    before = [_pids(host) for host in hosts]
    views = [LogView(lab, host, f"steady-{tag}") for host in hosts]
    for view in views:
        view.start()
    page = PageWatch(lab, f"steady-{tag}", len(hosts)).opened()

    done = False
    killer = Killer(lab, each=KILLS_EACH, seed=random.randrange(1 << 30), pause=(0.5, 2.5), enough=lambda: done)
    killer.start()
    third = ORDERS // 3
    spec = {"Cmd": ["sh", "-c", "echo started; exec sleep 3000"], "HostConfig": {"NetworkMode": "none"}}
    created: list[tuple[LabHost, str, str]] = []
    creations: list[str] = []
    for i in range(third):
        host, name = hosts[i % len(hosts)], f"chaos-{tag}-{i}"
        body = {"host": host.id, "image": "busybox", "name": name, "start": True, "pull": "never", "spec": spec}
        order = _insist(lab, "POST", "containers/", body)
        created.append((host, name, order["target"]["id"]))
        creations.append(order["id"])
    first = _ended(lab, creations)
    assert {o["state"] for o in first.values()} == {"done"}, [o for o in first.values() if o["state"] != "done"][:3]
    restarts = [_insist(lab, "POST", f"containers/{c}/restart/", {"timeout": 0})["id"] for _, _, c in created]
    second = _ended(lab, restarts)
    assert {o["state"] for o in second.values()} == {"done"}, [o for o in second.values() if o["state"] != "done"][:3]
    volumes = [
        _insist(lab, "POST", "volumes/", {"host": hosts[i % len(hosts)].id, "name": f"chaos-{tag}-{i}"})["id"]
        for i in range(ORDERS - 2 * third)
    ]
    done = True
    third_round = _ended(lab, volumes)
    killer.join(120)
    assert {o["state"] for o in third_round.values()} == {"done"}
    assert all(killer.killed[victim] >= KILLS_EACH for victim in VICTIMS), killer.killed

    for host in hosts:
        lab.wait_online(host)
    page.finish()
    assert {"reconnecting", "connected"} <= {now["live"] for now in page.said}
    assert page.recovered_in < 15, f"the page was whole again after {page.recovered_in:.1f} s: {page.said[-1]}"
    # None lost, none twice: one container of each name, started exactly twice (create with start, one restart).
    assert [name for host, name, _ in created if _starts(host, name) != 2] == []
    for i, host in enumerate(hosts):
        listed = host.docker("volume", "ls", "-q").stdout.split()
        assert sorted(v for v in listed if v.startswith(f"chaos-{tag}-")) == sorted(
            f"chaos-{tag}-{n}" for n in range(ORDERS - 2 * third) if n % len(hosts) == i
        )
    assert [_pids(host) for host in hosts] == before
    for view in views:
        view.finish()
        assert view.numbers == list(range(view.numbers[0], view.numbers[0] + len(view.numbers))), view.fault()
        assert len(view.numbers) > 50
