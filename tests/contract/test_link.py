"""What the two ends of the link must agree on, held against both of them."""

import asyncio
import inspect
import json
from typing import Any, get_type_hints

import pytest

from agent.link import connection, reportshapes
from agent.link.orders import OPERATIONS
from agent.link.reporter import Reporter, split
from agent.protocol import reports
from agent.protocol.orders import OPS
from agent.protocol.samples import stats

CONTAINER: dict[str, Any] = {
    "Id": "c" * 64, "Name": "/n", "Image": "sha256:1", "Created": "2026-01-01T00:00:00.1Z", "RestartCount": 0,
    "State": {"Status": "running", "Running": True, "Paused": False, "ExitCode": 0, "OOMKilled": False, "Error": "",
              "StartedAt": "2026-01-01T00:00:00.2Z", "FinishedAt": "0001-01-01T00:00:00Z"},
    "Config": {"Image": "x:1", "Cmd": ["a", "b"], "Entrypoint": None, "Labels": {"longshore.id": "u"}, "Tty": False},
    "HostConfig": {"RestartPolicy": {"Name": "no"}}, "Mounts": [],
    "NetworkSettings": {
        "Networks": {}, "Ports": {"80/tcp": None, "81/udp": [{"HostIp": "0.0.0.0", "HostPort": "8081"}]}},
}  # fmt: skip
NETWORK = {"Id": "n", "Name": "net", "Driver": "bridge", "Scope": "local", "Labels": None, "Containers": None}
VOLUME = {"Name": "v", "Driver": "local", "Mountpoint": "/v", "Labels": None, "Options": None}
IMAGE = {"Id": "sha256:1", "RepoTags": ["<none>:<none>", "a:1"], "RepoDigests": None, "Size": 5, "Created": 1700000000}
STATS = {"read": "2026-01-01T00:00:00Z", "memory_stats": {"usage": 10, "limit": 20, "stats": {"inactive_file": 4}}}


@pytest.mark.parametrize(
    ("shape", "made"),
    [
        (reports.ContainerReport, reportshapes.container(CONTAINER)),
        (reports.NetworkReport, reportshapes.network(NETWORK)),
        (reports.VolumeReport, reportshapes.volume(VOLUME)),
        (reports.ImageReport, reportshapes.image(IMAGE)),
        (reports.StatsReport, stats("c", STATS, None)),
    ],
)
def test_a_report_has_exactly_its_fields(shape: Any, made: dict[str, Any]) -> None:
    assert made.keys() == get_type_hints(shape).keys()
    json.dumps(made)


def test_ports_are_rows() -> None:
    assert reportshapes.container(CONTAINER)["ports"] == [
        {"container_port": 80, "protocol": "tcp"},
        {"container_port": 81, "protocol": "udp", "host_ip": "0.0.0.0", "host_port": 8081},
    ]


async def test_what_the_reporter_sends_the_inbox_can_read() -> None:
    sent: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)

    reporter = Reporter(send)
    reporter.put("fetch", after=0)
    reporter.put("host", report={})
    reporter.put_list("container", [reportshapes.container(CONTAINER)] * 450, "run")
    reporter.put_changed("volume", [], ["gone"])
    reporter.put("order.ack", order_ids=["o"])
    reporter.put("order.running", order_id="o", at="")
    reporter.put("order.progress", order_id="o", lines=[], progress={})
    reporter.put("order.result", order_id="o", state="done", result={}, problem=None, finished_at="")
    reporter.put("order.refused", order_id="o", code="x", detail="x")
    reporter.put("events", items=[])
    reporter.put("stats", items=[])
    task = asyncio.create_task(reporter.run())
    await asyncio.sleep(0.05)
    task.cancel()
    read = [reports.read_up(text) for text in sent]
    assert {message["type"] for message in read} == reports.UP_TYPES
    assert [message["n"] for message in read] == list(range(1, len(read) + 1))
    parts = [message for message in read if message["type"] == "inventory"]
    assert [part["last"] for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(len(text) < 1 << 20 for text in sent)


def test_a_list_too_long_for_a_message_is_cut_and_a_giant_loses_its_inspect() -> None:
    giant = {"engine_id": "x", "inspect": {"a": "y" * 2_000_000}}
    parts = split([giant, *({"engine_id": str(n)} for n in range(500))])
    assert sum(len(part) for part in parts) == 501
    assert parts[0][0] == {"engine_id": "x", "inspect": {}}


def test_the_inbox_has_a_row_for_every_report() -> None:
    from controlplane.inbox.table import TABLE

    assert TABLE.keys() == reports.UP_TYPES


def test_the_link_hears_every_message_from_above() -> None:
    source = inspect.getsource(connection.Link._heard)
    assert all(f'"{kind}"' in source for kind in reports.DOWN_TYPES - {"hello"})


def test_every_op_is_carried_out_and_has_a_right() -> None:
    from controlplane.orders.ops import RIGHT

    assert OPERATIONS.keys() == OPS.keys() == RIGHT.keys()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"type":"fetch"}', '{"type":"fetch","n":0,"after":0}', '{"type":"fetch","n":1,"after":true}',
     '{"type":"nope","n":1}', '{"type":"stats","n":1,"items":{}}', '{"type":["x"],"n":1}', "null", "[" * 100_000],
)  # fmt: skip
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(reports.BadReport):
        reports.read_up(text)


def test_no_report_names_more_than_its_share() -> None:
    with pytest.raises(reports.BadReport):
        reports.read_up(reports.write("stats", n=1, items=[{}] * (reports.MAX_ITEMS + 1)))
