"""Hints on their way to sockets, when Redis went away and came back."""

from typing import Any

from controlplane.common.hints import Position
from controlplane.live.events import _View
from controlplane.live.feed import Feed


class Ring(Feed):
    """A feed on a ring that stands here; `kept`: what it still has of what was missed, None: not enough."""

    here = Position(7, "one")
    kept: list[dict[str, Any]] | None = None

    async def _position(self, connection: Any) -> Position:
        return self.here

    async def since(self, seq: int) -> list[dict[str, Any]] | None:
        return self.kept


class Socket:
    """A viewer's, who may see all."""

    class access:
        @staticmethod
        def on(right: str, host: Any) -> bool:
            return True

        anywhere = on

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def put(self, kind: str, /, **fields: Any) -> None:
        self.sent.append(kind)

    def offer(self, kind: str, /, **fields: Any) -> bool:
        self.sent.append(fields["seq"])
        return True


def hint(seq: int) -> dict[str, Any]:
    return {"type": "changed", "seq": seq, "kind": "host", "host": "00000000-0000-0000-0000-000000000001"}


async def test_what_nobody_kept_is_a_resync() -> None:
    feed, told = Ring(), list[Any]()
    feed.add(lambda kind, content: told.append(kind if kind == "resync" else content["seq"]))
    # the first time: a socket may have been opened before we listened
    await feed._catch_up(None)
    assert told == ["resync"]
    feed.here, feed.kept = Position(9, "one"), [hint(8), hint(9)]
    await feed._catch_up(None)
    assert told == ["resync", 8, 9]
    feed.here, feed.kept = Position(90_000, "one"), None
    await feed._catch_up(None)
    assert told == ["resync", 8, 9, "resync"]
    feed.here, feed.kept = Position(2, "another"), []
    await feed._catch_up(None)
    assert told == ["resync", 8, 9, "resync", "resync"]


def test_hints_of_another_ring_are_told_from_its_first_on() -> None:
    socket = Socket()
    view = _View(socket)  # type: ignore[arg-type]
    view._subscriptions["p"] = (frozenset(), frozenset(), frozenset())
    view.told("hint", hint(500))
    view.told("hint", hint(500))
    view.told("resync", {})
    view.told("hint", hint(1))
    assert socket.sent == [500, "resync", 1]
