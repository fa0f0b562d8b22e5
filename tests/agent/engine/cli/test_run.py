"""``docker run``: output, input, codes, and what the program finds around it."""

import os
from pathlib import Path

import pytest

from tests.agent.engine.cli.docker import Docker, until
from tests.agent.engine.cli.terminal import type_into


@pytest.mark.both_clis
def test_it_works(docker: Docker) -> None:
    assert docker("run --rm busy echo hello").out == "hello\n"
    assert docker.ok("ps -aq") == ""


@pytest.mark.both_clis
def test_stderr_apart(docker: Docker) -> None:
    done = docker("run --rm busy sh -c 'echo out; echo err >&2'")
    assert (done.out, done.err) == ("out\n", "err\n")


@pytest.mark.both_clis
def test_trap_4_input_by_a_pipe_and_its_end(docker: Docker) -> None:
    assert docker("run --rm -i busy sh -c 'cat; echo end'", stdin="one\ntwo").out == "one\ntwoend\n"
    assert docker("run --rm busy sh -c 'cat; echo end'", stdin="not for you").out == "end\n"


@pytest.mark.both_clis
def test_a_terminal(docker: Docker) -> None:
    assert docker("run --rm -t busy sh -c 'tty; echo two >&2'").out == "/dev/pts/0\r\ntwo\r\n"
    code, screen = type_into(docker, "run --rm -it busy sh", ("#", "stty size; echo $((40+2))\n"), ("42", "exit 7\n"))
    assert code == 7
    assert "42" in screen


@pytest.mark.both_clis
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("sh -c 'exit 7'", 7),
        ("/tmp", 126),
        ("nosuch", 127),
        ("/bin/nosuch", 127),
        ("true", 0),
    ],
)
def test_codes(docker: Docker, command: str, code: int) -> None:
    assert docker(f"run --rm busy {command}").code == code


def test_a_failed_start_leaves_a_container_that_says_why(docker: Docker) -> None:
    assert docker("run --name aa busy nosuch").code == 127
    state = docker.inspect("aa")["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", 127)
    assert "nosuch" in state["Error"]


def test_environment_user_workdir_hostname(docker: Docker) -> None:
    out = docker.ok(
        "run --rm -e A=1 -e B= -u nobody -w /srv/new -h h1 busy sh -c 'echo $A-$B-$HOME; id -un; pwd; hostname'"
    )
    assert out.split("\n") == ["1--/", "nobody", "/srv/new", "h1"]
    assert docker.ok("run --rm -u 12:34 busy id -u") == "12"
    assert "unable to find user nosuch" in docker("run --rm -u nosuch busy true").err


def test_a_user_that_no_file_names_is_at_home_in_the_root(docker: Docker) -> None:
    assert "HOME=/" in docker.ok("run --rm -u 3000:4 busy env").split("\n")
    assert "HOME=/x" in docker.ok("run --rm -u 3000:4 -e HOME=/x busy env").split("\n")
    docker.ok("run -d --name aa -u 3000 busy sleep 600")
    assert "HOME=/" in docker.ok("exec aa env").split("\n")
    assert "HOME=/root" in docker.ok("exec -u 0 aa env").split("\n")
    assert "HOME=/" in docker.ok("exec -u 3001 aa env").split("\n")


def test_detached(docker: Docker) -> None:
    id_ = docker.ok("run -d --name aa busy sleep 60")
    assert len(id_) == 64
    assert docker.ok("ps --no-trunc -q") == id_


def test_a_limit_of_memory_is_seen_inside(docker: Docker) -> None:
    files = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"
    assert docker.ok(f"run --rm -m 64m busy sh -c '{files} || true'") == str(64 << 20)


def test_init_reaps_and_is_pid_1(docker: Docker) -> None:
    out = docker.ok("run --rm --init busy sh -c 'echo $$; cat /proc/1/comm'")
    assert out.split("\n")[0] != "1"
    assert docker.ok("run --rm busy sh -c 'echo $$'") == "1"


def test_much_output_is_whole(docker: Docker) -> None:
    done = docker("run --rm busy sh -c 'yes 0123456789 | head -n 200000'", timeout=60)
    assert done.out == "0123456789\n" * 200000


def test_a_slow_reader_does_not_lose_anything_and_holds_nobody_up(docker: Docker) -> None:
    child = docker.start("run --rm busy sh -c 'yes 0123456789 | head -n 300000'")
    until(lambda: docker.ok("ps -aq"))
    until(lambda: not docker.ok("ps -q"))
    assert child.stdout is not None
    assert child.stdout.read() == b"0123456789\n" * 300000
    assert child.wait(10) == 0
    child.communicate()


def test_trap_8_an_image_that_is_not_there(docker: Docker) -> None:
    status, answer = docker.api("POST", "/containers/create", {"Image": "nosuch"})
    assert (status, answer) == (404, {"message": "No such image: nosuch:latest"})
    assert docker("run --rm --pull never nosuch").code == 125


def test_trap_1_wait_answers_its_head_before_the_exit(docker: Docker) -> None:
    import socket as sockets

    _, made = docker.api("POST", "/containers/create?name=aa", {"Image": "busy", "Cmd": ["sh", "-c", "exit 4"]})
    with sockets.socket(sockets.AF_UNIX) as link:
        link.settimeout(10)
        link.connect(str(docker.socket))
        link.sendall(
            b"POST /v1.41/containers/aa/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n"
        )
        assert link.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        assert docker.api("POST", f"/containers/{made['Id']}/start")[0] == 204
        assert b'"StatusCode":4' in link.recv(4096)
    assert docker.api("POST", "/containers/aa/wait?condition=nosuch")[0] == 400
    assert docker.api("POST", "/containers/aa/wait") == (200, {"Error": None, "StatusCode": 4})


def test_the_host_s_uts_leaves_the_container_its_own_name_in_its_record(docker: Docker) -> None:
    id_ = docker.ok("create --name aa --uts host busy hostname")
    assert docker.inspect("aa")["Config"]["Hostname"] == id_[:12]
    assert docker.ok("start -a aa") == os.uname().nodename


def test_an_empty_program_is_the_runtime_s_to_refuse(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sleep 600")
    assert docker("exec aa ''").code in {126, 127}


def test_an_exec_s_keys_are_shown_as_bytes_and_its_command_is_a_list(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sleep 600")
    wanted = {"Cmd": ["true"], "DetachKeys": "ctrl-a,b"}
    status, made = docker.api("POST", "/containers/aa/exec", wanted)
    assert status == 201
    assert docker.api("GET", f"/exec/{made['Id']}/json")[1]["DetachKeys"] == "AWI="
    assert docker.api("POST", "/containers/aa/exec", {"Cmd": "true"}) == (
        400,
        {"message": "json: cannot unmarshal string into Go struct field ExecConfig.Cmd of type []string"},
    )


def test_a_profile_is_shown_where_there_is_apparmor(docker: Docker) -> None:
    docker.ok("create --name aa --security-opt apparmor=unconfined busy")
    present = Path("/sys/kernel/security/apparmor").exists()
    assert docker.inspect("aa")["AppArmorProfile"] == ("unconfined" if present else "")


def test_the_health_of_what_has_ended_is_unhealthy_as_dockerd_says(docker: Docker) -> None:
    docker.ok("run -d --name aa --health-cmd true --health-interval 30s busy sleep 600")
    assert docker.inspect("aa")["State"]["Health"]["Status"] == "starting"
    docker.ok("kill aa")
    docker("wait aa")
    assert docker.inspect("aa")["State"]["Health"]["Status"] == "unhealthy"
    docker.ok("start aa")
    assert docker.inspect("aa")["State"]["Health"]["Status"] == "starting"


def test_the_priority_of_a_gateway_is_shown_and_kept(docker: Docker) -> None:
    docker.ok("network create one")
    docker.ok("run -d --name aa busy sleep 600")
    status, _ = docker.api("POST", "/networks/one/connect", {"Container": "aa", "EndpointConfig": {"GwPriority": 7}})
    assert status == 200
    for _ in range(2):
        found = docker.inspect("aa")["NetworkSettings"]
        assert found["Networks"]["one"]["GwPriority"] == 7
        way = docker.ok("exec aa ip route show default") if docker.inspect("aa")["State"]["Running"] else ""
        assert found["Networks"]["one"]["Gateway"] in way
        docker.ok("stop -t 0 aa")
