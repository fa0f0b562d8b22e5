"""Firewalls of others, and ours after they have flushed everything. Ids are of the list of hostile inputs."""

import asyncio
import shutil

import pytest

from agent.engine.kernel.nftwatch import NftWatch
from agent.engine.networks import foreign, service
from agent.engine.networks.foreign import Chain
from tests.agent.engine.networks.bench import Bench, Namespace
from tests.agent.engine.networks.wire import Servers, ask, bound

DROPPING = """
table inet theirs {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
    }
}
"""
PUBLISHED = bound("8080:80")


async def listed(namespace: Namespace, *words: str) -> None:
    """Wait until the rules of the namespace hold these words."""
    for _ in range(200):
        rules = namespace.sh("nft list ruleset")
        if all(word in rules for word in words):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(rules)


def test_chains_at_the_forward_hook() -> None:
    listing = (
        "table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n"
        "\tchain INPUT {\n\t\ttype filter hook input priority filter; policy drop;\n\t}\n}\n"
        "table inet ours {\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
        "table bridge b {\n\tchain f {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
        "table inet x {\n\tchain f {\n\t\ttype filter hook forward priority 5; policy accept;\n\t}\n}\n"
    )
    found = foreign.forwarding(listing, "ours")
    assert found == [Chain("ip", "filter", "FORWARD", "drop"), Chain("inet", "x", "f", "accept")]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("reject with icmpx admin-prohibited", True),
        ("counter packets 0 bytes 0 drop", True),
        ('log prefix "x" drop', True),
        ('iifname "eth0" drop', False),
        ("jump more", False),
    ],
)
def test_a_last_rule_that_drops(last: str, expected: bool) -> None:
    text = f"table inet x {{\n chain f {{\n type filter hook forward priority 5; policy accept;\n {last}\n }}\n}}\n"
    assert foreign.drops(Chain("inet", "x", "f", "accept"), text) is expected


def test_links_that_a_table_knows() -> None:
    assert foreign.unknown(["br-1", "longshore0", "x"], 'iifname "br-*" accept\n oifname { "x", "y" } accept') == [
        "longshore0"
    ]


async def test_n4_another_firewall_drops(
    bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers
) -> None:
    one = await bench.start("one", ports=PUBLISHED)
    await servers.serve(one.netns_path, 80)
    await bench.service.look_for_firewalls()
    assert bench.service.warnings == []
    namespace.sh(f"nft -f - <<'EOF'\n{DROPPING}\nEOF")
    before = namespace.sh("nft list table inet theirs")
    assert "refused" in await ask(outside.path, "10.99.0.1", 8080), "a drop of another table is final"
    assert "page" in await ask(namespace.path, "127.0.0.1", 8080), "what does not pass the forward hook goes on"
    await bench.service.look_for_firewalls()
    assert bench.service.warnings == [
        "WARNING: a firewall (chain forward of table inet theirs) drops what containers on longshore0 send to or get "
        "from elsewhere: let that firewall accept these links, incoming and outgoing"
    ]
    assert namespace.sh("nft list table inet theirs") == before, "tables of others are not touched"
    namespace.sh("nft add rule inet theirs forward iifname longshore0 accept")
    namespace.sh("nft add rule inet theirs forward oifname longshore0 accept")
    await bench.service.look_for_firewalls()
    assert bench.service.warnings == []
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.1", 8080)


async def test_n4_rules_in_the_manner_of_dockerd(bench: Bench, namespace: Namespace) -> None:
    if shutil.which("iptables-nft", path="/usr/sbin:/sbin") is None:
        pytest.skip("no iptables")
    await bench.start("one")
    namespace.sh("iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER")
    await bench.service.look_for_firewalls()
    assert len(bench.service.warnings) == 1
    assert "chain FORWARD of table ip filter" in bench.service.warnings[0]
    for option in ("-i", "-o"):
        namespace.sh(f"iptables-nft -I DOCKER-USER {option} longshore0 -j ACCEPT")
    await bench.service.look_for_firewalls()
    assert bench.service.warnings == []


async def test_n4_rules_come_back_by_themselves(
    bench: Bench, namespace: Namespace, outside: Namespace, servers: Servers
) -> None:
    one = await bench.start("one", ports=PUBLISHED)
    await servers.serve(one.netns_path, 80)
    namespace.sh("nft flush ruleset; nft add table inet theirs")
    await listed(namespace, "published_any4", "jump guard")
    assert "page 10.99.0.2" in await ask(outside.path, "10.99.0.1", 8080)
    rules = namespace.sh("nft list ruleset")
    assert ("table inet theirs" in rules, "jump guard" in rules) == (True, True)
    for table in ("inet", "bridge"):
        namespace.sh(f"nft flush table {table} {bench.service.ops.rules.table}")
        await listed(namespace, "vmap @into", "jump guard")


async def test_n4_rules_come_back_where_nobody_says_that_they_went(
    bench: Bench, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service.RESTORE_EVERY + service.SETTLE < 30
    monkeypatch.setattr(service, "RESTORE_EVERY", 0.5)
    await bench.service.close()
    bench.service = bench.make()
    await bench.service.recover([])
    await bench.start("one")
    ear = bench.service._ear
    assert ear is not None
    asyncio.get_running_loop().remove_reader(ear.fileno())
    namespace.sh("nft flush ruleset")
    await listed(namespace, "vmap @into", "jump guard")


def test_only_removals_of_ours_are_heard(namespace: Namespace) -> None:
    with namespace.entered():
        ear = NftWatch("ours")
    namespace.sh("nft add table inet ours; nft add chain inet ours c; nft add set inet ours s '{ type mark ; }'")
    namespace.sh("nft add table inet theirs; nft add chain inet theirs c; nft delete table inet theirs")
    namespace.sh("nft add element inet ours s '{ 1 }'; nft delete element inet ours s '{ 1 }'")
    assert not ear.removed()
    for command in ("flush table inet ours", "delete chain inet ours c", "delete table inet ours"):
        namespace.sh(
            f"nft add table inet ours; nft add chain inet ours c; nft add rule inet ours c accept; nft {command}"
        )
        assert ear.removed(), command
        while ear.removed():
            pass
    namespace.sh("nft add table inet ours; nft flush ruleset")
    assert ear.removed()
    ear.close()
