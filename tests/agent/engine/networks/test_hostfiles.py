from pathlib import Path

import pytest

from agent.engine.errors import Invalid
from agent.engine.networks.hostfiles import HostFiles, Resolv, embedded, hosts, parse_resolv, resolv, wanted
from agent.engine.networks.requests import check_mode, split_extra_hosts

HOST = parse_resolv(
    "# made by hand\nsearch a.org b.org\nnameserver 127.0.0.53\nnameserver 10.0.0.1 ; one\noptions edns0\n"
)


def test_hosts() -> None:
    text = hosts(["172.17.0.2"], "name.org name", [("1.2.3.4", "other")])
    assert text.startswith("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
    assert text.endswith("1.2.3.4\tother\n172.17.0.2\tname.org name\n")


def test_resolv_without_the_loopback() -> None:
    found = wanted(HOST, (), (), ())
    assert found == Resolv(("10.0.0.1",), ("a.org", "b.org"), ("edns0",))
    assert resolv(found) == "search a.org b.org\nnameserver 10.0.0.1\noptions edns0\n"
    assert wanted(Resolv(("127.0.0.53",)), (), (), ()).nameservers == ("8.8.8.8", "8.8.4.4")


def test_resolv_as_asked() -> None:
    assert wanted(HOST, ["1.1.1.1"], ["."], ["ndots:2"]) == Resolv(("1.1.1.1",), (), ("ndots:2",))


def test_embedded() -> None:
    assert resolv(embedded(Resolv(("10.0.0.1",)))) == "nameserver 127.0.0.11\noptions ndots:0\n"
    assert embedded(Resolv(options=("ndots:3",))).options == ("ndots:3",)


def test_extra_hosts() -> None:
    lines = ("a:1.2.3.4", "b=::1", "c:fd00::5", "d:host-gateway", "e:[::2]")
    assert split_extra_hosts(lines, "172.17.0.1") == [
        ("1.2.3.4", "a"), ("::1", "b"), ("fd00::5", "c"), ("172.17.0.1", "d"), ("::2", "e"),
    ]  # fmt: skip
    for line in ("a", "a:", ":1.2.3.4", "a:nosuch"):
        with pytest.raises(Invalid, match="bad format for add-host"):
            split_extra_hosts((line,), "")


def test_a_change_keeps_the_inode(tmp_path: Path) -> None:
    files = HostFiles(tmp_path / "new")
    files.write(hosts="a", resolv="b", hostname="c\n")
    before = files.hosts.stat().st_ino
    files.write(hosts="longer")
    assert (files.hosts.read_text(), files.hosts.stat().st_ino) == ("longer", before)
    assert files.hosts.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("asked", "given", "words"),
    [
        ({"Hostname": "x"}, {}, "hostname and the network mode"),
        ({"MacAddress": "02:42:00:00:00:01"}, {}, "mac-address and the network mode"),
        ({"ExposedPorts": {"80/tcp": {}}}, {}, "port exposing and the container type network mode"),
        ({}, {"PortBindings": {"80/tcp": []}}, "port publishing and the container type network mode"),
        ({}, {"Dns": ["1.1.1.1"]}, "dns and the network mode"),
        ({}, {"ExtraHosts": ["a:1.2.3.4"]}, "custom host-to-IP mapping and the network mode"),
    ],
)
def test_what_a_shared_network_cannot_have(asked: dict[str, object], given: dict[str, object], words: str) -> None:
    with pytest.raises(Invalid, match=f"conflicting options: {words}"):
        check_mode(asked, {"NetworkMode": "container:x", **given})
    assert check_mode(asked, {"NetworkMode": "default", **given}) == []


def test_ports_on_the_host_are_left_out() -> None:
    assert check_mode({}, {"NetworkMode": "host", "PortBindings": {"80/tcp": []}}) == [
        "Published ports are discarded when using host network mode"
    ]
