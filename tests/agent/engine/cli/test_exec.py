"""``docker exec``: streams, codes, environment, terminal, and the code right after the stream."""

import json

import pytest

from tests.agent.engine.cli.docker import NEW, Docker, until
from tests.agent.engine.cli.terminal import type_into

RUN = "run -d --name aa -e A=outer -w /tmp busy sleep 60"


@pytest.mark.both_clis
def test_output_and_code(docker: Docker) -> None:
    docker.ok(RUN)
    done = docker("exec aa sh -c 'echo out; echo err >&2; exit 5'")
    assert (done.code, done.out, done.err) == (5, "out\n", "err\n")


@pytest.mark.both_clis
def test_input(docker: Docker) -> None:
    docker.ok(RUN)
    assert docker("exec -i aa sh -c 'cat; echo end'", stdin="one\n").out == "one\nend\n"


def test_environment_user_and_folder(docker: Docker) -> None:
    docker.ok(RUN)
    assert docker.ok("exec -e B=2 -u nobody -w / aa sh -c 'echo $A $B; id -un; pwd'") == "outer 2\nnobody\n/"
    assert docker.ok("exec aa pwd") == "/tmp"
    assert docker.ok("exec --privileged aa grep CapEff /proc/self/status") != docker.ok(
        "exec aa grep CapEff /proc/self/status"
    )


@pytest.mark.both_clis
@pytest.mark.parametrize(("command", "code"), [("nosuch", 127), ("/etc/passwd", 126)])
def test_trap_13_what_cannot_run(docker: Docker, command: str, code: int) -> None:
    docker.ok(RUN)
    done = docker(f"exec aa {command}")
    # Docker 20.10 did not tell the two apart
    assert done.code == (code if docker.program == NEW else 126)
    assert "OCI runtime exec failed" in done.out + done.err
    _, made = docker.api("POST", "/containers/aa/exec", {"Cmd": [command]})
    status, answer = docker.api("POST", f"/exec/{made['Id']}/start", {"Detach": True})
    assert (status, answer["message"][:36]) == (400, "OCI runtime exec failed: exec failed")
    codes = [docker.api("GET", f"/v{version}/exec/{made['Id']}/json")[1]["ExitCode"] for version in ("1.41", "1.42")]
    assert codes == [126, code]


def test_trap_13_the_code_is_there_when_the_stream_ends(docker: Docker) -> None:
    docker.ok(RUN)
    for code in range(5):
        _, made = docker.api("POST", "/containers/aa/exec", {"Cmd": ["sh", "-c", f"exit {code}"], "AttachStdout": True})
        docker.api("POST", f"/exec/{made['Id']}/start", {"Detach": False})
        _, found = docker.api("GET", f"/exec/{made['Id']}/json")
        assert (found["Running"], found["ExitCode"]) == (False, code)


@pytest.mark.both_clis
def test_a_terminal(docker: Docker) -> None:
    docker.ok(RUN)
    assert docker("exec -t aa tty").out == "/dev/pts/0\r\n"
    code, screen = type_into(docker, "exec -it aa sh", ("#", "echo $((40+2))\n"), ("42", "exit 3\n"))
    assert code == 3
    assert "42" in screen


def test_detached(docker: Docker) -> None:
    docker.ok(RUN)
    docker.ok("exec -d aa touch /made")
    until(lambda: docker("exec aa test -e /made").code == 0)
    until(lambda: json.loads(docker.ok("inspect aa"))[0]["ExecIDs"] is None)


def test_it_ends_with_its_container(docker: Docker) -> None:
    docker.ok(RUN)
    child = docker.start("exec aa sh -c 'echo up; sleep 30'")
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    docker.ok("kill aa")
    assert child.wait(8) == 137


def test_refusals(docker: Docker) -> None:
    docker.ok("create --name bb busy")
    assert "is not running" in docker("exec bb true").err
    assert "No such container: nosuch" in docker("exec nosuch true").err
    assert docker.api("GET", "/exec/nosuch/json") == (404, {"message": "No such exec instance: nosuch"})


@pytest.mark.parametrize("upgrade", [True, False])
def test_trap_3_the_connection_is_closed_after_the_exit(docker: Docker, upgrade: bool) -> None:
    import socket

    docker.ok(RUN)
    _, made = docker.api("POST", "/containers/aa/exec", {"Cmd": ["echo", "hi"], "AttachStdout": True})
    body = b'{"Detach":false}'
    head = f"POST /v1.41/exec/{made['Id']}/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n" + ("Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else "") + "\r\n"
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(docker.socket))
        link.sendall(head.encode() + body)
        data = b"".join(iter(lambda: link.recv(4096), b""))
    assert data.startswith(b"HTTP/1.1 101 UPGRADED" if upgrade else b"HTTP/1.1 200 OK")
    assert data.endswith(b"\x01\0\0\0\0\0\0\x03hi\n")


@pytest.mark.parametrize("start", [{"Detach": False}, {"detach": False, "tty": True}])
def test_the_start_says_how_the_output_is_read(docker: Docker, start: dict[str, bool]) -> None:
    """As docker-py starts an exec that it made with a terminal; keys in any case, as Go takes them."""
    docker.ok(RUN)
    made = docker.api("POST", "/containers/aa/exec", {"cmd": ["printf", "hi"], "attachStdout": True, "Tty": True})[1]
    data = docker.raw("POST", f"/v1.41/exec/{made['Id']}/start", start)
    assert data == (b"hi" if start.get("tty") else b"\x01\0\0\0\0\0\0\x02hi")
