"""What breaks real clients on other engines, asked of the socket itself: the parts that no other test has."""

import io
import json
import socket
import tarfile
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.agent.engine.cli.docker import Docker, until


def ask(docker: Docker, method: str, path: str, **filters: object) -> tuple[int, object]:
    return docker.api(method, f"{path}?filters={quote(json.dumps(filters))}")


def events(docker: Docker, since: float, *filters: str) -> list[str]:
    """Actions of containers since then."""
    narrowed = " ".join(f"-f {one}" for one in filters)
    span = f"--since {since:.9f} --until {time.time() + 0.1:.9f}"
    return docker.ok(f"events {span} -f type=container {narrowed} --format '{{{{.Action}}}}'").split()


@pytest.fixture
def link(docker: Docker) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.settimeout(20)
        opened.connect(str(docker.socket))
        yield opened


def test_trap_02_following_the_log_of_one_long_ended_ends(docker: Docker) -> None:
    docker.ok("run --name aa busy echo over")
    assert docker.ok("logs -f aa") == "over"


def test_trap_04_an_exec_reads_on_after_its_client_has_ended_its_half(docker: Docker, link: socket.socket) -> None:
    docker.ok("run -d --name aa busy sleep 600")
    wanted = {"Cmd": ["sh", "-c", "cat; sleep 0.5; echo late"], "AttachStdin": True, "AttachStdout": True}
    made = docker.api("POST", "/containers/aa/exec", wanted)[1]
    body = b'{"Detach":false,"Tty":false}'
    head = f"POST /v1.41/exec/{made['Id']}/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
    head += f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n"
    link.sendall(head.encode() + body)
    assert link.recv(4096).startswith(b"HTTP/1.1 101 UPGRADED\r\n")
    link.sendall(b"early\n")
    link.shutdown(socket.SHUT_WR)
    out = b"".join(iter(lambda: link.recv(4096), b""))
    assert out.endswith(b"early\n\x01\0\0\0\0\0\0\x05late\n")


def test_trap_05_one_die_an_exit_whatever_started_it(docker: Docker) -> None:
    since = time.time()
    docker("run --name aa busy sh -c 'exit 3'")
    docker("start -a aa")
    assert events(docker, since, "container=aa", "event=die") == ["die"] * 2
    docker.ok("run -d --name bb --restart on-failure:2 busy false")
    until(lambda: docker.inspect("bb")["State"]["Status"] == "exited")
    assert events(docker, since, "container=bb") == ["create", *["start", "die"] * 3]


def test_trap_06_every_answer_names_the_version(docker: Docker) -> None:
    for path in ("/_ping", "/v1.24/info", "/v1.32/version", "/containers/nosuch/json", "/v9.9/info", "/nosuch"):
        assert docker.headers(path)["Api-Version"] == "1.47", path
    assert docker.api("HEAD", "/_ping")[0] == 200
    for version, present in (("1.24", True), ("1.43", True), ("1.44", False), ("1.47", False)):
        assert ("VirtualSize" in docker.api("GET", f"/v{version}/images/json")[1][0]) == present
        assert ("VirtualSize" in docker.api("GET", f"/v{version}/images/busy/json")[1]) == present


def test_trap_07_every_key_of_a_host_config_may_be_null_or_come_back(docker: Docker) -> None:
    docker.ok("run -d --name aa -p 127.0.0.1::80 --expose 81 busy sleep 600")
    found = docker.inspect("aa")
    ports = found["NetworkSettings"]["Ports"]
    assert (ports["81/tcp"], len(ports["80/tcp"])) == (None, 1)
    # as watchtower makes a container anew
    again = found["Config"] | {"HostConfig": found["HostConfig"]}
    assert docker.api("POST", "/containers/create?name=bb", again)[0] == 201


def test_trap_09_a_build_tells_the_image_s_id(docker: Docker, link: socket.socket) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        content = b"FROM busy\nLABEL a=b\n"
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    body = raw.getvalue()
    head = "POST /v1.41/build?t=made HTTP/1.0\r\nHost: d\r\nContent-Type: application/x-tar\r\n"
    link.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = b"".join(iter(lambda: link.recv(65536), b"")).partition(b"\r\n\r\n")[2]
    told = [json.loads(line) for line in answer.splitlines()]
    id_ = next(line["aux"]["ID"] for line in told if "aux" in line)
    assert json.loads(docker.ok("image inspect made"))[0]["Id"] == id_
    assert f"Successfully built {id_[7:19]}\n" in [line.get("stream") for line in told]


def test_trap_10_several_networks_in_one_create(docker: Docker) -> None:
    for name in ("one", "two"):
        docker.ok(f"network create --label com.docker.compose.network={name} {name}")
    ends = {"one": {"Aliases": ["a"]}, "two": {"Aliases": ["b"]}}
    body = {"Image": "busy", "Cmd": ["sleep", "600"], "HostConfig": {"NetworkMode": "one"}}
    body["NetworkingConfig"] = {"EndpointsConfig": ends}
    assert docker.api("POST", "/v1.44/containers/create?name=aa", body)[0] == 201
    docker.ok("start aa")
    found = docker.inspect("aa")["NetworkSettings"]["Networks"]
    assert {name: end["Aliases"][0] for name, end in found.items()} == {"one": "a", "two": "b"}
    assert "b" in docker.ok("exec aa nslookup b")
    assert docker.api("GET", "/networks/two")[1]["Labels"] == {"com.docker.compose.network": "two"}


def test_trap_12_a_filter_that_is_not_known_removes_nothing(docker: Docker) -> None:
    docker.ok("create --name aa -l keep=me busy")
    docker.ok("create --name bb -l a=b -l c=d busy")
    for old_or_new in ({"a=b": True, "c=d": True}, ["a=b", "c=d"]):
        status, rows = ask(docker, "GET", "/containers/json", label=old_or_new, status=["created"])
        assert (status, [row["Names"] for row in rows]) == (200, [["/bb"]])
    for path in ("containers", "images", "networks", "volumes"):
        assert ask(docker, "POST", f"/{path}/prune", nosuch=["x"])[0] == 400
    assert ask(docker, "POST", "/containers/prune", label=["a=b", "nosuch"])[1]["ContainersDeleted"] is None
    assert len(ask(docker, "POST", "/containers/prune", label=["a=b"])[1]["ContainersDeleted"]) == 1
    assert docker.ok("ps -a --format {{.Names}}") == "aa"


def test_trap_12_prune_takes_named_volumes_only_where_told(docker: Docker) -> None:
    docker.ok("volume create named")
    docker.ok("create --name aa -v /anonymous busy")
    docker.ok("rm aa")
    assert len(docker.api("POST", "/v1.42/volumes/prune")[1]["VolumesDeleted"]) == 1
    assert docker.ok("volume ls -q") == "named"
    assert ask(docker, "POST", "/v1.42/volumes/prune", all=["1"])[1]["VolumesDeleted"] == ["named"]


def test_trap_14_a_single_answer_has_two_samples(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sh -c 'while :; do :; done'")
    found = docker.api("GET", "/containers/aa/stats?stream=false")[1]
    used, before = found["cpu_stats"], found["precpu_stats"]
    busy = used["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    whole = used["system_cpu_usage"] - before["system_cpu_usage"]
    assert 0 < busy / whole <= 1.2 / used["online_cpus"]
    once = docker.api("GET", "/containers/aa/stats?stream=false&one-shot=true")[1]
    assert once["precpu_stats"]["cpu_usage"]["total_usage"] == 0


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ('containers/prune?filters={"until":["x"]}', 'failed to parse value as time or duration: "x"'),
        ('containers/prune?filters={"until":["1h","2h"]}', "more than one until filter specified"),
        ('networks/prune?filters={"until":["x"]}', 'failed to parse value as time or duration: "x"'),
        ('build/prune?filters={"nosuch":["x"]}', "invalid filter 'nosuch'"),
        ("build/prune?keep-storage=x", 'strconv.Atoi: parsing "x": invalid syntax'),
        ("commit", 'invalid name or ID supplied: ""'),
        ("images/create?fromImage=busy&platform=bogus", '"bogus": unknown operating system or architecture'),
    ],
)
def test_trap_12_what_cannot_be_read_is_never_everything(docker: Docker, path: str, words: str) -> None:
    base, _, query = path.partition("?filters=")
    status, answer = docker.api("POST", f"/{base}?filters={quote(query)}" if query else f"/{base}")
    assert (status, words in answer["message"]) == (400, True), answer


def test_trap_12_prune_by_what_a_label_is_not(docker: Docker) -> None:
    docker.ok("create --name aa -l keep=me busy")
    docker.ok("create --name bb busy")
    assert len(ask(docker, "POST", "/containers/prune", **{"label!": ["keep=me"]})[1]["ContainersDeleted"]) == 1
    assert docker.ok("ps -a --format {{.Names}}") == "aa"
