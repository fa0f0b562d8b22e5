"""Legacy links: an alias in the hosts file, the other's ports and variables in the environment."""

import msgspec
import pytest

from agent.engine.containers import links
from agent.engine.errors import Invalid, System
from agent.engine.state.records import Link, NetworkState, State, Status
from tests.agent.engine.conftest import RunningEngine, running_engine
from tests.agent.engine.containers.records import record
from tests.netns import run


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("db", ("db", "db")),
        ("db:alias", ("db", "alias")),
        ("/db:/web/alias", ("db", "alias")),
        ("ab12:x", ("ab12", "x")),
    ],
)
def test_how_a_link_is_written(text: str, parsed: tuple[str, str]) -> None:
    assert links.parse(text) == parsed


@pytest.mark.parametrize(("text", "words"), [("", "empty string specified for links"), ("a:b:c", "bad format")])
def test_how_it_is_not(text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        links.parse(text)


def test_what_the_environment_tells() -> None:
    exposed: dict[str, dict[str, str]] = {"80/tcp": {}, "81/tcp": {}, "82/tcp": {}, "53/udp": {}}
    network = NetworkState(endpoints={"bridge": {"IPAddress": "172.17.0.9"}})
    other = msgspec.structs.replace(
        record(ExposedPorts=exposed, Env=["A=1", "PATH=/x"]), id="cd" * 32, name="db", state=State(Status.RUNNING),
        network=network,
    )  # fmt: skip
    web = msgspec.structs.replace(record(), name="web", links=(Link(other.id, "db", "my-db"),), network=network)
    told = links.environment(web, {other.id: other}.get)
    assert told[0] == "MY_DB_PORT=udp://172.17.0.9:53"
    assert {"MY_DB_PORT_80_TCP=tcp://172.17.0.9:80", "MY_DB_PORT_80_TCP_ADDR=172.17.0.9", "MY_DB_PORT_80_TCP_PORT=80",
            "MY_DB_PORT_80_TCP_PROTO=tcp", "MY_DB_PORT_80_TCP_PORT_START=80", "MY_DB_PORT_80_TCP_PORT_END=82",
            "MY_DB_NAME=/web/my-db", "MY_DB_ENV_A=1"} <= set(told)  # fmt: skip
    assert not any("PATH" in line for line in told)
    with pytest.raises(System, match="Cannot link to a non running container: /db AS /web/my-db"):
        links.environment(web, lambda _: None)


def test_it_works(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name db -h dbhost -e A=1 --expose 80 busy sleep 60")
    docker.ok("run -d --name web --link db:alias busy sleep 60")
    assert docker.inspect("web")["HostConfig"]["Links"] == ["/db:/web/alias"]
    address = docker.inspect("db")["NetworkSettings"]["IPAddress"]
    assert f"{address}\talias dbhost db" in docker.ok("exec web cat /etc/hosts").splitlines()
    seen = docker.ok('exec web sh -c \'tr "\\0" "\\n" < /proc/1/environ\'').splitlines()
    assert {f"ALIAS_PORT=tcp://{address}:80", "ALIAS_NAME=/web/alias", "ALIAS_ENV_A=1"} <= set(seen)
    rows = docker.api("GET", "/containers/json")[1]
    assert sorted(name for row in rows for name in row["Names"]) == ["/db", "/web", "/web/alias"]
    assert docker.inspect("web/alias")["Name"] == "/db"


def test_a_new_address_and_a_new_name_are_followed(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name db busy sleep 60")
    docker.ok("run -d --name web --link db:alias busy sleep 60")
    docker.ok("stop -t 0 db")
    docker.ok("run -d --name between busy sleep 60")
    docker.ok("start db")
    address = docker.inspect("db")["NetworkSettings"]["IPAddress"]
    lines = [line for line in docker.ok("exec web cat /etc/hosts").splitlines() if "alias" in line]
    assert [line.split("\t")[0] for line in lines] == [address]
    docker.ok("rename db other")
    assert docker.inspect("web")["HostConfig"]["Links"] == ["/other:/web/alias"]


def test_who_is_not_there_or_does_not_run(engine: RunningEngine) -> None:
    docker = engine.docker
    body = {"Image": "busy", "HostConfig": {"Links": ["nosuch:x"]}}
    code, answer = docker.api("POST", "/containers/create?name=web", body)
    assert (code, answer["message"]) == (400, "could not get container for nosuch: No such container: nosuch")
    docker.ok("create --name db busy true")
    docker.ok("create --name web --link db busy true")
    assert "Cannot link to a non running container: /db AS /web/db" in docker("start web").err
    body = {"Image": "busy", "HostConfig": {"NetworkMode": "host", "Links": ["db"]}}
    refused = docker.api("POST", "/containers/create", body)[1]["message"]
    assert "host type networking can't be used with links" in refused


def test_a_link_is_removed(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("run -d --name db busy sleep 60")
    docker.ok("create --name web --link db:alias busy cat /etc/hosts")
    assert docker.api("DELETE", "/containers/db?link=1")[0] == 409
    assert docker.api("DELETE", "/containers/web/nosuch?link=1")[0] == 404
    assert docker.api("DELETE", "/containers/web/alias?link=1")[0] == 204
    assert docker.inspect("web")["HostConfig"]["Links"] is None
    assert "alias" not in docker.ok("start -a web")


def test_on_a_network_of_ones_own_it_is_a_name_for_one_container(engine: RunningEngine) -> None:
    docker = engine.docker
    docker.ok("network create mine")
    docker.ok("run -d --name db --network mine busy sleep 60")
    docker.ok("run -d --name web --network mine --link db:alias busy sleep 60")
    address = docker.inspect("db")["NetworkSettings"]["Networks"]["mine"]["IPAddress"]
    assert address in docker.ok("exec web nslookup alias")
    assert docker("exec db nslookup alias").code != 0
    found = docker.inspect("web")
    assert found["HostConfig"]["Links"] is None
    assert found["NetworkSettings"]["Networks"]["mine"]["Links"] == ["db:alias"]


def reached(engine: RunningEngine, source: str, address: str, port: int) -> bool:
    return engine.docker(f"exec {source} nc -w 1 {address} {port}").code == 0


def test_a_link_opens_exposed_ports_where_containers_may_not_talk() -> None:
    with running_engine("--no-icc") as engine:
        docker = engine.docker

        def inside(command: str) -> str:
            return run(*engine.namespace.argv("sh", "-c", command))

        def addresses() -> dict[str, str]:
            return {name: docker.inspect(name)["NetworkSettings"]["IPAddress"] for name in ("db", "web", "other")}

        def check() -> None:
            assert reached(engine, "web", addresses()["db"], 80)
            for source, target, port in (
                ("web", "db", 81),
                ("db", "web", 80),
                ("other", "db", 80),
                ("web", "other", 80),
            ):
                assert not reached(engine, source, addresses()[target], port), (source, target, port)

        serve = "sh -c 'httpd -p 80 -h /; exec httpd -f -p 81 -h /'"
        docker.ok(f"run -d --name db --expose 80 busy {serve}")
        docker.ok(f"run -d --name web --link db:alias busy {serve}")
        docker.ok(f"run -d --name other --expose 80 busy {serve}")
        check()
        # Whether the host lets its table ``inet`` see what a bridge carries: of a new namespace it does.
        inside("sysctl -qw net.bridge.bridge-nf-call-iptables=0 || true")
        engine.kill9()
        engine.start()
        check()
        before = addresses()["db"]
        assert before in inside("nft list ruleset | grep -A3 'set opened4'")
        docker.ok("stop -t 0 db")
        assert before not in inside("nft list ruleset | grep -A3 'set opened4'")
        docker.ok("run -d --name between busy sleep 60")
        docker.ok("start db")
        assert addresses()["db"] != before
        check()
        docker.ok("rm -f web")
        assert "elements" not in inside("nft list ruleset | grep -A2 -E 'set (opened.|linking|linked) '")
