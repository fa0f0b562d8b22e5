"""Links in namespaces that a thread has entered: right answers, refusals as OSError, nothing left open."""

import errno
import gc
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest

from agent.engine.kernel import linking
from agent.engine.kernel.linking import Linker
from agent.engine.kernel.netlink import Link, Links
from agent.engine.kernel.rtnetlink import Rtnetlink, default_route
from tests.agent.engine.networks.bench import Namespace

GATEWAYS = [(ip_address("10.66.0.1"), 24), (ip_address("fd66::1"), 64)]


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    yield made
    made.remove()


@pytest.fixture
def links(namespace: Namespace) -> Iterator[Links]:
    with namespace.entered(), Links() as found:
        yield found


def test_a_bridge(links: Links, namespace: Namespace) -> None:
    links.add_bridge("br0", "02:42:00:00:00:07", 1400)
    for _ in range(2):
        links.set_up("br0", "owner", GATEWAYS)
    assert links.all()[1] == Link(links.all()[1].index, "br0", "bridge", 0, "02:42:00:00:00:07", "owner")
    shown = namespace.sh("ip -d addr show br0; ip -6 addr show br0")
    for words in ("mtu 1400", "forward_delay 0", "brd 10.66.0.255", "fd66::1/64 scope global nodad", "UP>"):
        assert words in shown
    for _ in range(2):
        links.delete("br0")
    assert [one.name for one in links.all()] == ["lo"]


def test_networks(links: Links, namespace: Namespace) -> None:
    links.add_bridge("br0", "02:42:00:00:00:07", 1500)
    links.set_up("br0", "", GATEWAYS)
    namespace.sh("ip link add out0 type bridge; ip addr add 10.99.0.1/24 dev out0; ip link set out0 up")
    namespace.sh("ip route add default via 10.99.0.2; ip route add 10.7.0.0/16 via 10.99.0.2")
    assert {"10.66.0.0/24", "fd66::/64", "10.99.0.0/24", "10.7.0.0/16"} <= set(links.networks())
    without = links.networks(without="br0")
    assert "10.66.0.0/24" not in without
    assert "10.7.0.0/16" in without
    assert "0.0.0.0/0" not in without


def test_the_default_route(links: Links, namespace: Namespace) -> None:
    for number in (1, 2):
        links.add_bridge(f"br{number}", f"02:42:00:00:00:0{number}", 1500)
        links.set_up(f"br{number}", "", [(ip_address(f"10.66.{number}.1"), 24), (ip_address(f"fd6{number}::1"), 64)])
    with Rtnetlink() as route:
        for number in (1, 2, 2):
            index = route.index_of(f"br{number}")
            route.talk(default_route(ip_address(f"10.66.{number}.9"), index, socket.AF_INET))
            route.talk(default_route(ip_address(f"fd6{number}::9"), index, socket.AF_INET6))
        shown = namespace.sh("ip route show default; ip -6 route show default").splitlines()
        assert [line.split()[:5] for line in shown] == [
            ["default", "via", "10.66.2.9", "dev", "br2"],
            ["default", "via", "fd62::9", "dev", "br2"],
        ]
        with pytest.raises(OSError, match="unreachable"):
            route.talk(default_route(ip_address("10.99.0.9"), index, socket.AF_INET))
        route.talk(default_route(None, route.index_of("br1"), socket.AF_INET))
    assert namespace.sh("ip route show default").split()[:5] == ["default", "dev", "br1", "scope", "link"]


def test_a_link_of_others_stays(links: Links, namespace: Namespace) -> None:
    namespace.sh("ip link add br0 type bridge; ip link set br0 alias theirs; ip link add br1 type bridge")
    links.set_up("br1", "ours", [])
    for name in ("br0", "br1", "br9"):
        links.delete_own(name, "ours")
    assert [one.name for one in links.all()] == ["lo", "br0"]


def test_a_link_that_leads_nowhere(links: Links, namespace: Namespace) -> None:
    links.add_dummy("dm-0")
    links.set_up("dm-0", "", [])
    assert "LOWER_UP" in namespace.sh("ip link show dm-0")


def test_refusals(links: Links) -> None:
    links.add_bridge("br0", "02:42:00:00:00:07", 1500)
    with pytest.raises(OSError, match="File exists") as refused:
        links.add_bridge("br0", "02:42:00:00:00:07", 1500)
    assert refused.value.errno == errno.EEXIST


def test_the_process_that_makes_links_comes_and_goes(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "IDLE_SECONDS", 0.5)
    linker = Linker()

    def process() -> "subprocess.Popen[bytes] | None":
        return linker._process

    with namespace.entered():
        assert linker.change("link", "add", ifname="br0", kind="bridge") == 0
        first = process()
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        assert linker.change("link", "add", ifname="br0", kind="bridge") == errno.EEXIST
    second = process()
    assert second is not None
    deadline = time.monotonic() + 20
    while process() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process() is None
    assert second.returncode == -signal.SIGKILL


def test_threads_leave_nothing_open(namespace: Namespace) -> None:
    def work(_: int) -> list[str]:
        with namespace.entered(), Links() as links:
            return [one.name for one in links.all()]

    with ThreadPoolExecutor(4) as pool:
        all_there = threading.Barrier(4)
        list(pool.map(lambda _: all_there.wait(20), range(4)))
        list(pool.map(work, range(8)))
        gc.collect()  # what earlier tests left to it is none of ours
        before = len(os.listdir("/proc/self/fd")), threading.active_count()
        assert list(pool.map(work, range(100))) == [["lo"]] * 100
        after = len(os.listdir("/proc/self/fd")), threading.active_count()
        assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)
