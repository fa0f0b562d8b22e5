"""The bus: dockerd's shapes, a bounded memory, and readers that cannot hold up anybody."""

from pathlib import Path

import pytest

from agent.engine import events
from agent.engine.events import EventBus, EventFile, Lagging


async def test_it_works() -> None:
    bus = EventBus()
    with bus.subscribe() as reader:
        bus.publish(
            "container", "die", "ab", {"image": "busy", "name": "aa", "exitCode": "3"}, 1_500_000_000_000_000_001
        )
        event = await reader.get()
    assert event == {
        "status": "die", "id": "ab", "from": "busy", "Type": "container", "Action": "die",
        "Actor": {"ID": "ab", "Attributes": {"image": "busy", "name": "aa", "exitCode": "3"}},
        "scope": "local", "time": 1_500_000_000, "timeNano": 1_500_000_000_000_000_001,
    }  # fmt: skip


def test_only_containers_and_images_have_the_old_fields() -> None:
    bus = EventBus()
    assert "status" not in bus.publish("network", "connect", "n", {"container": "ab"})
    assert "from" not in bus.publish("image", "pull", "busy", {"name": "busy"})


def test_the_past() -> None:
    bus = EventBus(history=3)
    for second in range(5):
        bus.publish("volume", "create", str(second), {}, second * 10**9)
    assert [event["Actor"]["ID"] for event in bus.history()] == ["2", "3", "4"]
    assert [event["Actor"]["ID"] for event in bus.history(3 * 10**9, 3 * 10**9)] == ["3"]


async def test_a_reader_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BACKLOG", 2)
    bus = EventBus()
    with bus.subscribe() as slow:
        for number in range(4):
            bus.publish("volume", "create", str(number))
        assert not bus.subscribers
        assert [(await slow.get() or {})["Actor"]["ID"] for _ in range(2)] == ["0", "1"]
        with pytest.raises(Lagging):
            await slow.get()


async def test_closing_ends_every_reader() -> None:
    bus = EventBus()
    with bus.subscribe() as reader:
        bus.close()
        assert [event async for event in reader] == []
    assert not bus.subscribers


def test_the_last_ones_outlive_the_bus(tmp_path: Path) -> None:
    def bus() -> EventBus:
        return EventBus(3, EventFile(tmp_path / "events", 3))

    def ids(of: EventBus) -> list[str]:
        return [event["Actor"]["ID"] for event in of.history()]

    first = bus()
    for number in range(10):
        first.publish("volume", "create", str(number), {}, number)
    assert (tmp_path / "events").stat().st_mode & 0o777 == 0o600
    assert len((tmp_path / "events").read_bytes().splitlines()) <= 6
    second = bus()
    assert ids(second) == ["7", "8", "9"]
    second.publish("volume", "create", "x")
    with (tmp_path / "events").open("ab") as file:
        file.write(b'{"Type":"cut sho')
    assert ids(bus())[-2:] == ["9", "x"]


def test_a_file_that_cannot_be_written_hinders_nobody(tmp_path: Path) -> None:
    bus = EventBus(kept=EventFile(tmp_path / "nosuch" / "events"))
    bus.publish("volume", "create", "v")
    assert [event["Actor"]["ID"] for event in bus.history()] == ["v"]
