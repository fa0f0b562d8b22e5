"""Questions to the host: their answers, and what they say while it is away."""

import struct
from typing import Any

import pytest

from controlplane.common.errors import EngineFailed
from controlplane.containers.loglines import LogLines
from controlplane.hosts.models import Host
from tests.controlplane import cast


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", stream, len(data)) + data


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 1000])
def test_lines_however_the_bytes_were_split(size: int) -> None:
    raw = frame(1, b"T one\nT tw") + frame(2, b"T err\n") + frame(1, b"T o\nT last")
    lines, found = LogLines(tty=False), []
    for at in range(0, len(raw), size):
        found += list(lines.feed(raw[at : at + size]))
    found += list(lines.end())
    assert sorted(found) == sorted(
        [("stdout", b"T one"), ("stderr", b"T err"), ("stdout", b"T two"), ("stdout", b"T last")]
    )


def test_a_terminal_has_no_frames() -> None:
    assert list(LogLines(tty=True).feed(b"a\r\nb\n")) == [("stdout", b"a\r"), ("stdout", b"b")]


def test_bytes_that_are_no_frames() -> None:
    with pytest.raises(EngineFailed):
        list(LogLines(tty=False).feed(b"plain text, no frame"))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["top/", "logs/", "logs/?format=ndjson", "logs/?tail=5&stream=stderr&search=x"])
def test_503_while_the_host_is_away(api: cast.Api, host: Host, path: str) -> None:
    answer = api("GET", f"containers/{cast.running(host).pk}/{path}")
    assert (answer.status_code, answer.data["code"]) == (503, "host_offline")
    assert answer["Retry-After"]


@pytest.mark.django_db
def test_an_exec_while_the_host_is_away_is_in_the_trail(api: cast.Api, host: Host) -> None:
    body = {"command": ["id"]}
    assert api("POST", f"containers/{cast.running(host).pk}/execs/", body).status_code == 503
    row = api("GET", "audit/?action=container.exec").data["results"][0]
    assert (row["result"], row["code"], row["target"]["name"]) == ("refused", "host_offline", "db")


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["format=xml", "tail=-1", "since=yesterday", "stream=both", "follow=1"])
def test_bad_parameters_of_logs(api: cast.Api, host: Host, query: str) -> None:
    assert api("GET", f"containers/{cast.running(host).pk}/logs/?{query}").status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("body", [{}, {"command": []}, {"command": "ls"}, {"command": ["ls"], "privileged": True}])
def test_bad_execs(api: cast.Api, host: Host, body: dict[str, Any]) -> None:
    assert api("POST", f"containers/{cast.running(host).pk}/execs/", body).status_code == 400
