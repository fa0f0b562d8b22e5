"""Log drivers' options, tags and messages, in dockerd's words and formats."""

import re
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.engine.containers.logs.drivers import journald, options, syslog, tags
from agent.engine.containers.logs.drivers.messages import Cutter
from agent.engine.containers.logs.drivers.options import Default
from agent.engine.errors import Invalid, System
from agent.streams.joining import Piece
from tests.agent.engine.containers.records import ID, record


def container(driver: str = "json-file", given: dict[str, str] | None = None, **body: Any) -> Any:
    return record({"LogConfig": {"Type": driver, "Config": given or {}}}, **body)


@pytest.mark.parametrize(
    ("driver", "given", "words"),
    [
        ("nosuch", {}, 'error looking up logging plugin nosuch: plugin "nosuch" not found'),
        ("json-file", {"x": "1"}, "unknown log opt 'x' for json-file log driver"),
        ("json-file", {"mode": "bad"}, "logger: logging mode not supported: bad"),
        (
            "json-file",
            {"max-buffer-size": "1m"},
            "logger: max-buffer-size option is only supported with 'mode=non-block",
        ),
        (
            "json-file",
            {"mode": "non-blocking", "max-buffer-size": "x"},
            "error parsing option max-buffer-size: invalid siz",
        ),
        ("json-file", {"cache-disabled": "x"}, "invalid value for option cache-disabled: x"),
        ("local", {"x": "1"}, "unknown log opt 'x' for log driver local"),
        ("journald", {"max-size": "1m"}, "unknown log opt 'max-size' for journald log driver"),
        ("syslog", {"x": "1"}, "unknown log opt 'x' for syslog log driver"),
        ("syslog", {"syslog-address": "foo"}, "syslog-address should be in form proto://address, got foo"),
        ("syslog", {"syslog-address": "http://a"}, "syslog-address should be in form proto://address, got http://a"),
        ("syslog", {"syslog-address": "unix:///nosuch"}, "stat /nosuch: no such file or directory"),
        ("syslog", {"syslog-address": "udp://[::1"}, "parse \"udp://[::1\": missing ']' in host"),
        ("syslog", {"syslog-facility": "99"}, "invalid syslog facility"),
        ("syslog", {"syslog-format": "x"}, "Invalid syslog format"),
    ],
)
def test_refused_at_create(driver: str, given: dict[str, str], words: str) -> None:
    with pytest.raises(Invalid, match=re.escape(words)):
        options.check(driver, given)


@pytest.mark.parametrize(
    ("driver", "given", "words"),
    [
        ("json-file", {"max-size": "abc"}, "invalid size: 'abc'"),
        ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
        ("json-file", {"max-size": "-1"}, "invalid size: '-1'"),
        ("json-file", {"max-file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"max-file": "x"}, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("json-file", {"compress": "x"}, 'strconv.ParseBool: parsing "x": invalid syntax'),
        (
            "json-file",
            {"compress": "true"},
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        ("json-file", {"labels-regex": "("}, "error parsing regexp: missing ), unterminated subpattern"),
        ("json-file", {"tag": "{{.Nope}}"}, "at <.Nope>: can't evaluate field Nope in type *logger.Info"),
        ("json-file", {"tag": "{{"}, "template: log-tag:1: unclosed action"),
        ("local", {"max-file": "1"}, "compression cannot be enabled when max file count is 1"),
        ("local", {"max-size": "x"}, "invalid value for max-size: x: invalid size: 'x'"),
        ("local", {"compress": "x"}, 'error reading compress log option: strconv.ParseBool: parsing "x"'),
    ],
)
def test_refused_at_start(driver: str, given: dict[str, str], words: str) -> None:
    with pytest.raises(System, match=re.escape("failed to initialize logging driver: ") + ".*" + re.escape(words)):
        options.check_start(container(driver, given))


def test_the_engines_default() -> None:
    default = Default("local", {"max-size": "1m", "cache-disabled": "true"})
    assert options.completed(None, default) == {"Type": "local", "Config": dict(default.options)}
    assert options.completed({"Type": "", "Config": {"max-size": "2m"}}, default)["Config"]["max-size"] == "2m"
    assert options.completed({"Type": "syslog"}, default) == {"Type": "syslog", "Config": {"cache-disabled": "true"}}
    assert options.completed({"Type": "none", "Config": {"any": "thing"}}, default)["Config"]["any"] == "thing"


def test_attributes_by_name_and_by_expression() -> None:
    chosen = {"labels": "a,nosuch", "labels-regex": "^b", "env": "Q", "env-regex": "X$", "tag": "{{.Name}}"}
    found = container("json-file", chosen, Labels={"a": "1", "bc": "2", "d": "3"}, Env=["Q=4", "YX=5", "Z=6"])
    assert options.details(found) == {"a": "1", "bc": "2", "Q": "4", "YX": "5", "tag": "aa"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.ID}}", ID[:12]),
        ("x-{{.Name}}/{{.ImageName | upper}}", "x-aa/BUSY"),
        ("{{.FullID}}", ID),
        ('{{index .ContainerLabels "a"}}', "1"),
        ("{{ .Command }}", "true"),
        ("a {{- .Name -}} b", "aaab"),
        ("{{truncate .ImageFullID 9}}{{json .DaemonName}}", 'sha256:00"docker"'),
        ('{{join (split .Name "a") "-"}}', None),
        ("{{nosuch .Name}}", None),
    ],
)
def test_tags(template: str, text: str | None) -> None:
    known = tags.facts(container(Labels={"a": "1"}))
    if text is None:
        with pytest.raises(System, match="template: log-tag:1"):
            tags.render(template, known)
    else:
        assert tags.render(template, known) == text


@pytest.mark.parametrize(
    ("given", "expression"),
    [
        ({}, rb"<30>Jan  2 \d\d:04:05 tag\[\d+\]: text\n"),
        ({"syslog-format": "rfc3164", "syslog-facility": "local3"}, rb"<158>Jan  2 \d\d:04:05 HOST tag\[\d+\]: text\n"),
        ({"syslog-format": "rfc5424"}, rb"<30>1 2026-01-02T\d\d:04:05(Z|[+-]\d\d:\d\d) HOST tag \d+ tag - text\n"),
        (
            {"syslog-format": "rfc5424micro", "syslog-facility": "1"},
            rb"<14>1 2026-\S+:05\.123456\S+ HOST tag \d+ tag - text\n",
        ),
        ({"syslog-format": "rfc5424", "syslog-address": "tcp+tls://h"}, rb"\d+ <30>1 .* - text\n"),
    ],
)
def test_syslog_formats(given: dict[str, str], expression: bytes) -> None:
    made = syslog.formatter(given, "tag")(1, 1767323045.123456, b"text")
    assert re.fullmatch(expression.replace(b"HOST", re.escape(socket.gethostname().encode())), made), made
    if made[:1].isdigit():
        length, _, rest = made.partition(b" ")
        assert int(length) == len(rest)


def test_stderr_is_an_error() -> None:
    assert syslog.formatter({}, "t")(2, time.time(), b"x").startswith(b"<27>")
    assert syslog.address("udp://host") == syslog.Address("udp", host="host", port=514)


def test_journal_entries() -> None:
    made = journald.formatter(container(), "tag", {"my.label": "v"})
    entry = made(Piece(2, b"", b"a\nb"), b"2026-01-02T03:04:05.000000001")
    assert entry.startswith(b"MESSAGE\n" + struct.pack("<Q", 3) + b"a\nb\nPRIORITY=3\n")
    fields = {b"CONTAINER_ID=" + ID[:12].encode(), b"CONTAINER_NAME=aa", b"SYSLOG_IDENTIFIER=tag", b"MY_LABEL=v"}
    assert fields <= set(entry.split(b"\n"))
    part = made(Piece(1, b"", b"a", last=False, ordinal=1), b"2026-01-02T03:04:05.000000001")
    assert b"\nCONTAINER_PARTIAL_MESSAGE=true\n" in part
    assert journald.key("_a-b.1") == "A_B_1"


@given(
    st.lists(
        st.tuples(st.sampled_from(["stdout", "stderr"]), st.sampled_from("PF"), st.text("xyz", max_size=3)), max_size=25
    ),
    st.integers(1, 60),
)
def test_one_goes_on_after_any_line(records: list[tuple[str, str, str]], step: int) -> None:
    time = "2026-01-02T03:04:05.000000000+00:00"
    log = "".join(f"{time} {stream} {tag} {text}\n" for stream, tag, text in records).encode()

    def read(place: int) -> tuple[list[tuple[Piece, int]], set[Piece]]:
        cutter = Cutter(place)
        blocks = (log[at : at + step] for at in range(cutter.offset, len(log), step))
        lines = [found for block in blocks for found in cutter.feed(block)]
        return lines, {piece for piece, _ in cutter.end()}

    lines, unfinished = read(0)
    for number, (_, place) in enumerate(lines):
        later, open_lines = read(place)
        assert [piece for piece, _ in later] == [piece for piece, _ in lines[number + 1 :]]
        assert open_lines == unfinished


def test_options_are_those_of_dockers_clients(tmp_path: Path) -> None:
    (tmp_path / "s").touch()
    syslog.check(
        {"syslog-address": f"unixgram://{tmp_path}/s", "syslog-facility": "local7", "syslog-format": "rfc3164"}
    )
