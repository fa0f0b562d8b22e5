"""``docker logs`` and ``docker attach``."""

import time

import pytest

from tests.agent.engine.cli.docker import Docker, until
from tests.agent.engine.cli.terminal import type_into

SPEAK = "busy sh -c 'for i in 1 2 3; do echo out$i; echo err$i >&2; sleep 0.05; done'"


@pytest.mark.both_clis
def test_both_streams_and_tail(docker: Docker) -> None:
    docker.ok(f"run -d --name aa {SPEAK}")
    docker.ok("wait aa")
    done = docker("logs aa")
    assert (done.out, done.err) == ("out1\nout2\nout3\n", "err1\nerr2\nerr3\n")
    done = docker("logs --tail 2 aa")
    assert sorted((done.out + done.err).split()) == ["err3", "out3"]
    assert docker("logs --tail 0 aa").out == ""


@pytest.mark.both_clis
def test_trap_2_following_ends_with_the_container(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sh -c 'echo one; sleep 0.5; echo two'")
    assert docker("logs -f aa", timeout=8).out == "one\ntwo\n"
    assert docker("logs -f aa", timeout=8).out == "one\ntwo\n"


def test_trap_2_the_head_of_a_silent_log_comes_at_once(docker: Docker) -> None:
    import socket

    docker.ok("run -d --name aa busy sleep 600")
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(20)
        link.connect(str(docker.socket))
        link.sendall(b"GET /v1.41/containers/aa/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n")
        assert link.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_times_since_and_until(docker: Docker) -> None:
    docker.ok("run --name aa busy sh -c 'echo a; sleep 1.1; echo b; sleep 1.1; echo c'")
    times = [line.split()[0] for line in docker.ok("logs -t aa").split("\n")]
    assert docker.ok(f"logs --since {times[1]} aa") == "b\nc"
    assert docker.ok(f"logs --until {times[1]} aa") == "a\nb"


def test_long_and_odd_lines_byte_for_byte(docker: Docker) -> None:
    docker.ok("run --name aa busy sh -c 'head -c 20000 /dev/zero | tr \"\\0\" y; echo; printf abc'")
    assert docker("logs aa").out == "y" * 20000 + "\nabc"


def test_rotation_keeps_the_newest(docker: Docker) -> None:
    docker.ok(
        "run -d --name aa --log-opt max-size=20k --log-opt max-file=3 "
        "busy sh -c 'i=0; while [ $i -lt 4000 ]; do echo line$i; i=$((i+1)); [ $((i % 400)) = 0 ] && sleep 0.4; done'"
    )
    docker.ok("wait aa", timeout=60)
    lines = docker.ok("logs aa").split("\n")
    assert lines[-1] == "line3999"
    numbers = [int(line[4:]) for line in lines]
    assert numbers == list(range(numbers[0], 4000))
    assert numbers[0] > 0


def test_no_log_to_read(docker: Docker) -> None:
    assert docker.ok("run --name aa --log-driver none busy echo hello") == "hello"
    assert "configured logging driver does not support reading" in docker("logs aa").err
    assert docker("logs nosuch").code == 1


def test_attach_sees_what_comes_and_the_code(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sh -c 'sleep 0.5; echo late; exit 9'")
    done = docker("attach aa", timeout=8)
    assert (done.code, done.out) == (9, "late\n")


@pytest.mark.both_clis
def test_detach_keys_leave_it_running(docker: Docker) -> None:
    docker.ok("run -dit --name aa busy sh -c 'while read x; do echo got $x; done'")
    _, screen = type_into(docker, "attach aa", ("", "hi\n"), ("got hi", "\x10\x11"))
    assert "read escape sequence" in screen or "got hi" in screen
    assert docker.inspect("aa")["State"]["Running"]


def test_a_blocked_attach_does_not_block_the_container(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sh -c 'sleep 0.5; yes 0123456789 | head -n 300000; touch /over; sleep 60'")
    child = docker.start("attach aa")
    until(lambda: docker("exec aa test -e /over").code == 0, 20)
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe:
            pipe.close()


def test_a_follower_that_comes_and_goes(docker: Docker) -> None:
    docker.ok("run -d --name aa busy sh -c 'while :; do echo x; sleep 0.1; done'")
    for _ in range(5):
        child = docker.start("logs -f aa")
        time.sleep(0.1)
        child.kill()
        child.communicate()
    assert docker.inspect("aa")["State"]["Running"]
