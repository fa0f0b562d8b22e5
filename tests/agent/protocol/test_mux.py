"""The multiplexer as a state machine: two ends, a wire that only delays."""

from collections import defaultdict, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.protocol import mux
from agent.protocol.frames import MAX_DATA, Frame, Kind, decode, with_credit, with_json
from agent.protocol.mux import WINDOW, Mux, MuxError, Side, StreamClosed


def pair() -> tuple[Mux, Mux]:
    return Mux(Side.AGENT), Mux(Side.CONTROL)


def opened(target: str = "engine") -> tuple[Mux, Mux, int]:
    agent, control = pair()
    stream, message = control.open(target, {"path": "/info"})
    assert list(agent.receive(message)) == [mux.Opened(stream, target, {"path": "/info"})]
    assert list(control.receive(agent.accept(stream, {"status": 200}))) == [mux.Accepted(stream, {"status": 200})]
    return agent, control, stream


def test_it_works() -> None:
    agent, control, stream = opened()
    assert list(control.receive(agent.data(stream, b"hello"))) == [mux.Data(stream, b"hello")]
    end = agent.end(stream)
    assert end is not None
    assert list(control.receive(end)) == [mux.Ended(stream)]
    back = control.end(stream)
    assert back is not None
    assert list(agent.receive(back)) == [mux.Ended(stream)]
    assert agent.streams() == control.streams() == []


def test_the_two_sides_never_give_out_the_same_id() -> None:
    agent, control = pair()
    ours = {agent.open("bell", {})[0] for _ in range(20)}
    theirs = {control.open("engine", {})[0] for _ in range(20)}
    assert not ours & theirs


def test_credit_is_all_that_may_be_under_way() -> None:
    agent, control, stream = opened()
    sent = 0
    while room := agent.credit(stream):
        list(control.receive(agent.data(stream, b"x" * room)))
        sent += room
    assert sent == WINDOW
    with pytest.raises(ValueError, match="credit"):
        agent.data(stream, b"x")
    grant = control.consumed(stream, 1000)
    assert grant is not None
    assert list(agent.receive(grant)) == [mux.Credited(stream)]
    assert agent.credit(stream) == 1000


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        b"\x09" + b"\0\0\0\1",
        Frame(Kind.DATA, 77, b"x").encode(),
        Frame(Kind.OPEN, 2, b"not json").encode(),
        Frame(Kind.OPEN, 2, b"[]").encode(),
        with_json(Kind.OPEN, 3, {"target": "engine", "head": {}}).encode(),
        with_json(Kind.OPEN, 2, {"target": 1, "head": {}}).encode(),
        Frame(Kind.DATA, 2, b"x" * (MAX_DATA + 1)).encode(),
    ],
)
def test_a_broken_frame_breaks_the_link(message: bytes) -> None:
    with pytest.raises(MuxError):
        list(Mux(Side.AGENT).receive(message))


def test_sending_past_the_credit_breaks_the_link() -> None:
    _agent, control, stream = opened()
    message = Frame(Kind.DATA, stream, b"x" * MAX_DATA).encode()
    for _ in range(WINDOW // MAX_DATA):
        list(control.receive(message))
    with pytest.raises(MuxError, match="credit"):
        list(control.receive(message))


def test_credit_past_the_window_breaks_the_link() -> None:
    agent, _, stream = opened()
    with pytest.raises(MuxError, match="window"):
        list(agent.receive(with_credit(stream, 1).encode()))


def test_frames_under_way_after_a_reset_are_dropped() -> None:
    agent, control, stream = opened()
    late = agent.data(stream, b"late")
    reset = control.reset(stream, "cancelled", "the reader left")
    assert reset is not None
    assert list(control.receive(late)) == []
    assert list(agent.receive(reset)) == [mux.Reset(stream, "cancelled", "the reader left")]
    with pytest.raises(StreamClosed):
        agent.data(stream, b"x")
    assert control.reset(stream, "cancelled") is None


def test_too_many_streams_are_refused_before_they_are_sent() -> None:
    agent, _ = pair()
    for _ in range(mux.MAX_STREAMS):
        agent.open("bell", {})
    with pytest.raises(StreamClosed):
        agent.open("bell", {})


@given(st.binary(max_size=64))
def test_no_bytes_make_it_raise_anything_else(message: bytes) -> None:
    agent, _, _ = opened()
    try:
        list(agent.receive(message))
    except MuxError:
        pass


STEP = st.tuples(
    st.sampled_from(["open", "send", "consume", "end", "reset", "deliver"]),
    st.booleans(),
    st.integers(0, 7),
    st.integers(1, MAX_DATA),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, max_size=120))
def test_any_order_of_steps_keeps_bytes_whole_and_in_order(steps: list[tuple[str, bool, int, int]]) -> None:
    """Whatever two honest ends do, nothing is lost, repeated, or past its credit, and neither sees a MuxError."""
    ends = pair()
    wires: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
    sent: dict[tuple[int, int], bytes] = defaultdict(bytes)
    got: dict[tuple[int, int], bytes] = defaultdict(bytes)
    unread: dict[tuple[int, int], int] = defaultdict(int)
    was_reset: set[int] = set()

    def deliver(to: int) -> None:
        while wires[1 - to]:
            for event in ends[to].receive(wires[1 - to].popleft()):
                if isinstance(event, mux.Opened):
                    wires[to].append(ends[to].accept(event.stream, {}))
                elif isinstance(event, mux.Data):
                    got[to, event.stream] += event.data
                    unread[to, event.stream] += len(event.data)
                    assert unread[to, event.stream] <= WINDOW
                elif isinstance(event, mux.Reset):
                    was_reset.add(event.stream)

    for action, which, pick, size in steps:
        me = int(which)
        live = ends[me].streams()
        stream = live[pick % len(live)] if live else 0
        if action == "open":
            wires[me].append(ends[me].open("engine", {})[1])
        elif action == "deliver":
            deliver(me)
        elif stream:
            message: bytes | None = None
            if action == "send":
                try:
                    data = bytes([size % 251]) * min(size, ends[me].credit(stream))
                    message = ends[me].data(stream, data)
                    sent[me, stream] += data
                except StreamClosed:
                    pass
            elif action == "consume":
                message = ends[me].consumed(stream, unread.pop((me, stream), 0))
            elif action == "end":
                message = ends[me].end(stream)
            else:
                message = ends[me].reset(stream, "cancelled")
                was_reset.add(stream)
            if message is not None:
                wires[me].append(message)
    deliver(0), deliver(1), deliver(0)
    for (side, stream), data in sent.items():
        received = got[1 - side, stream]
        assert data.startswith(received)
        if stream not in was_reset:
            assert received == data


def test_a_frame_reads_as_it_was_written() -> None:
    frame = with_json(Kind.RESET, 4, {"code": "x"})
    assert decode(frame.encode()) == frame
