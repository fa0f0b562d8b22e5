"""Many byte streams over one ordered message channel; sans IO.

Either side opens streams: the agent takes odd ids, the control plane even ones, each rising. A sender may have at most
as many bytes under way as the receiver granted, so a reader that stops holds up its own stream and nothing else.

    idle ──OPEN──▶ opening ──ACCEPT──▶ open ──END both ways──▶ closed
                      └────────RESET, at any time──────────────▲

END closes one direction. After a RESET frames that were under way are dropped silently; frames for a stream that
never was break the connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from agent.protocol.frames import MAX_DATA, BadFrame, Frame, Kind, decode, with_credit, with_json

WINDOW: Final = 256 * 1024
MAX_STREAMS: Final = 512
_MAX_ID: Final = 0xFFFF_FFF0


class Side(Enum):
    """Which end of the link this is; decides the ids that it gives out."""

    AGENT = 1
    CONTROL = 2


class MuxError(Exception):
    """The other end broke the rules of the link: close the connection."""


class StreamClosed(Exception):
    """This stream takes nothing any more. `code` says why in one word."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code


@dataclass(frozen=True)
class Opened:
    """The other side opened a stream; answer it with accept or reset."""

    stream: int
    target: str
    head: dict[str, Any]


@dataclass(frozen=True)
class Accepted:
    stream: int
    head: dict[str, Any]


@dataclass(frozen=True)
class Data:
    stream: int
    data: bytes


@dataclass(frozen=True)
class Ended:
    stream: int


@dataclass(frozen=True)
class Credited:
    stream: int


@dataclass(frozen=True)
class Reset:
    stream: int
    code: str
    message: str


Event = Opened | Accepted | Data | Ended | Credited | Reset


@dataclass
class _Stream:
    mine: bool
    accepted: bool = False
    send_credit: int = WINDOW
    receive_credit: int = WINDOW
    sent_end: bool = False
    got_end: bool = False


@dataclass
class Mux:
    """One end of a link. Feed it messages, carry out the frames it returns."""

    side: Side
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _next: int = field(init=False)
    _highest_peer: int = field(init=False)

    def __post_init__(self) -> None:
        self._next = 1 if self.side is Side.AGENT else 2
        self._highest_peer = 0

    # What this side does. Each returns the message to send.

    def open(self, target: str, head: dict[str, Any]) -> tuple[int, bytes]:
        """Open a stream; its id and the message.

        Raises:
            StreamClosed: too many streams are open.
        """
        if len(self._streams) >= MAX_STREAMS or self._next > _MAX_ID:
            raise StreamClosed("busy", "too many streams on this link")
        stream, self._next = self._next, self._next + 2
        self._streams[stream] = _Stream(mine=True)
        return stream, with_json(Kind.OPEN, stream, {"target": target, "head": head}).encode()

    def accept(self, stream: int, head: dict[str, Any]) -> bytes:
        """Take a stream that the other side opened."""
        state = self._live(stream)
        if state.mine or state.accepted:
            raise StreamClosed("accepted", "only the other side's new streams can be accepted")
        state.accepted = True
        return with_json(Kind.ACCEPT, stream, head).encode()

    def credit(self, stream: int) -> int:
        """How many bytes may be sent now; at most one frame's worth."""
        return min(self._live(stream).send_credit, MAX_DATA)

    def data(self, stream: int, data: bytes) -> bytes:
        """Send bytes within the credit.

        Raises:
            StreamClosed: the stream was ended or reset.
            ValueError: more than `credit` allows.
        """
        state = self._live(stream)
        if state.sent_end:
            raise StreamClosed("ended", "the stream was already ended")
        if len(data) > min(state.send_credit, MAX_DATA):
            raise ValueError("more than the credit of the stream")
        state.send_credit -= len(data)
        return Frame(Kind.DATA, stream, data).encode()

    def end(self, stream: int) -> bytes | None:
        """Say that no more bytes follow; None when that was said already."""
        state = self._streams.get(stream)
        if state is None or state.sent_end:
            return None
        state.sent_end = True
        self._forget_finished(stream, state)
        return Frame(Kind.END, stream).encode()

    def consumed(self, stream: int, amount: int) -> bytes | None:
        """Grant as much again as the reader took; None when the stream is over."""
        state = self._streams.get(stream)
        if state is None or state.got_end or amount <= 0:
            return None
        state.receive_credit += amount
        return with_credit(stream, amount).encode()

    def reset(self, stream: int, code: str, message: str = "") -> bytes | None:
        """End a stream at once in both directions; None when it is over already."""
        if self._streams.pop(stream, None) is None:
            return None
        return with_json(Kind.RESET, stream, {"code": code, "message": message[:1000]}).encode()

    def streams(self) -> list[int]:
        """The ids of the streams that are open or opening."""
        return list(self._streams)

    def is_live(self, stream: int) -> bool:
        """Whether the stream is still open in some direction."""
        return stream in self._streams

    # What the other side did.

    def receive(self, message: bytes) -> Iterator[Event]:
        """Take one binary message.

        Raises:
            MuxError: the other side broke the framing, its credit or the order of things.
        """
        try:
            frame = decode(message)
            yield from self._received(frame)
        except BadFrame as error:
            raise MuxError(str(error)) from None

    def _received(self, frame: Frame) -> Iterator[Event]:
        if frame.kind is Kind.OPEN:
            yield self._opened(frame)
            return
        state = self._streams.get(frame.stream)
        if state is None:
            if not self._was(frame.stream):
                raise MuxError(f"{frame.kind.name} for a stream that never was")
            return
        match frame.kind:
            case Kind.ACCEPT:
                if not state.mine or state.accepted:
                    raise MuxError("ACCEPT out of turn")
                state.accepted = True
                yield Accepted(frame.stream, frame.json())
            case Kind.DATA:
                if state.got_end or len(frame.payload) > state.receive_credit:
                    raise MuxError("DATA after END or past the credit")
                state.receive_credit -= len(frame.payload)
                yield Data(frame.stream, frame.payload)
            case Kind.END:
                if state.got_end:
                    raise MuxError("END twice")
                state.got_end = True
                self._forget_finished(frame.stream, state)
                yield Ended(frame.stream)
            case Kind.CREDIT:
                state.send_credit += frame.credit()
                if state.send_credit > WINDOW:
                    raise MuxError("CREDIT past the window")
                yield Credited(frame.stream)
            case Kind.RESET:
                del self._streams[frame.stream]
                why = frame.json()
                yield Reset(frame.stream, str(why.get("code", "reset")), str(why.get("message", "")))

    def _opened(self, frame: Frame) -> Opened:
        if self._is_mine(frame.stream) or frame.stream <= self._highest_peer:
            raise MuxError("OPEN with an id that is not new")
        if len(self._streams) >= MAX_STREAMS:
            raise MuxError("too many streams")
        content = frame.json()
        target, head = content.get("target"), content.get("head")
        if not isinstance(target, str) or not isinstance(head, dict):
            raise MuxError("OPEN without a target and head")
        self._highest_peer = frame.stream
        self._streams[frame.stream] = _Stream(mine=False)
        return Opened(frame.stream, target, head)

    def _live(self, stream: int) -> _Stream:
        state = self._streams.get(stream)
        if state is None:
            raise StreamClosed("closed", "the stream is over")
        return state

    def _forget_finished(self, stream: int, state: _Stream) -> None:
        if state.sent_end and state.got_end:
            self._streams.pop(stream, None)

    def _is_mine(self, stream: int) -> bool:
        return stream % 2 == (1 if self.side is Side.AGENT else 0)

    def _was(self, stream: int) -> bool:
        return stream > 0 and (stream < self._next if self._is_mine(stream) else stream <= self._highest_peer)
