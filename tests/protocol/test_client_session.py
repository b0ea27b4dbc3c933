"""The client's side of a socket: its table, resuming, holes, duplicates, acknowledgements (W1, W5, W6, W11)."""

from __future__ import annotations

from contextlib import suppress
from typing import get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol import events
from fairwire_protocol import frames as f
from fairwire_protocol.codec import JSON, MSGPACK, Codec
from fairwire_protocol.errors import Close, Refused
from fairwire_protocol.models import Position
from fairwire_protocol.session import (
    ACK_EVENTS,
    ACK_SECONDS,
    CLIENT_TRANSITIONS,
    ClientSession,
    ClientState,
    Delivered,
    Resync,
    SessionEvent,
    UnknownEvent,
    UnknownFrame,
    Violation,
    Voided,
    close_action,
)
from tests.protocol.in_memory import LIMITS, Streams, exhibitor_entry, missing, opened, welcome, wire
from wire_examples import full

CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=["msgpack", "json"])
KINDS: tuple[type[f.ServerFrame], ...] = get_args(f.ServerFrame)


def hello(resume: f.Resume | None = None) -> f.Hello:
    return f.Hello(protocol=(1, 1), token="t", device=f.Device(id="d"), resume=resume)


def at(account: int, fair: int = 0) -> f.Resume:
    return f.Resume(account=Position(epoch=11, pos=account), fair=Position(epoch=22, pos=fair))


def feed(session: ClientSession, frames: object, now: float = 0.0) -> list[SessionEvent]:
    """Everything the session makes of these frames."""
    return [event for frame in frames for event in session.receive(wire(session.codec, frame), now)]  # type: ignore[attr-defined]


def connected(
    codec: Codec, streams: Streams, resume: f.Resume | None = None
) -> tuple[ClientSession, list[SessionEvent]]:
    """A session that was greeted by the peer."""
    client = ClientSession(codec, hello(resume))
    _, asked = opened(codec, client.hello())
    return client, feed(client, [welcome(), *streams.greeting(asked.resume)])


def in_state(codec: Codec, state: ClientState) -> ClientSession:
    """A session brought to a state by the frames that lead there."""
    streams = Streams()
    client = ClientSession(codec, hello())
    if state is ClientState.START:
        return client
    client.hello()
    frames: list[f.ServerFrame] = [welcome(), *streams.greeting(None)]
    steps = {
        ClientState.GREETING: 0, ClientState.WELCOMED: 1, ClientState.SNAPSHOT: 2, ClientState.REPLAYING: 4,
        ClientState.LIVE: 5, ClientState.LEAVING: 5,
    }  # fmt: skip
    feed(client, frames[: steps[state]])
    if state is ClientState.LEAVING:
        feed(client, [f.Bye(code=4000, reason="")])
    assert client.state is state
    return client


def fitting(kind: type[f.ServerFrame], state: ClientState) -> f.ServerFrame:
    """A frame of a kind that is in order by its content, so that only the table speaks."""
    frames: dict[type[f.ServerFrame], f.ServerFrame] = {
        f.Welcome: welcome(),
        f.Resumed: f.Resumed(
            resumed=False, account=Position(epoch=1, pos=0), fair=Position(epoch=1, pos=0), reason="new"
        ),
        f.Snapshot: f.Snapshot(part=1 if state is ClientState.SNAPSHOT else 0, last=True),
        f.Event: f.Event(stream="account", pos=1, body=full(events.Waiting)),
        f.Void: f.Void(stream="account", start=1, end=1),
        f.Live: f.Live(pos=0, fair_pos=0),
        f.Beat: f.Beat(pos=0, fair_pos=0),
    }
    if state is ClientState.SNAPSHOT:
        frames[f.Snapshot] = f.Snapshot(part=0, last=False)
    return frames.get(kind) or full(kind)


def test_every_state_and_frame_has_its_row() -> None:
    assert set(CLIENT_TRANSITIONS) == {(state, kind) for state in ClientState for kind in KINDS}


@pytest.mark.parametrize("state", ClientState)
@pytest.mark.parametrize("kind", KINDS)
def test_every_state_meets_every_frame(state: ClientState, kind: type[f.ServerFrame]) -> None:
    """The table is what happens; only `resumed` and the last snapshot part refine it."""
    client = in_state(MSGPACK, state)
    frame, target = fitting(kind, state), CLIENT_TRANSITIONS[state, kind]
    if isinstance(target, Close):
        with pytest.raises(Violation) as violation:
            client.receive(MSGPACK.encode(frame))
        assert violation.value.close is target
        return
    if kind is f.Snapshot:
        frame = f.Snapshot(part=1, last=False)  # the first is in_state's
        client = ClientSession(MSGPACK, hello())
        client.hello()
        feed(client, [welcome(), fitting(f.Resumed, state), f.Snapshot(part=0, last=False)])
    client.receive(MSGPACK.encode(frame))
    assert client.state is (ClientState.SNAPSHOT if kind is f.Resumed else target)


@CODECS
def test_w5_a_first_hello_gets_the_snapshot_whole_then_goes_live(codec: Codec) -> None:
    streams = Streams()
    streams.entries = [exhibitor_entry(number) for number in range(5)]
    streams.wait()
    client, seen = connected(codec, streams)
    resync = next(event for event in seen if isinstance(event, Resync))
    assert [entry for part in resync.parts for entry in part.entries] == streams.entries
    assert (resync.account.pos, resync.fair.pos) == (1, 0)
    assert client.state is ClientState.LIVE
    assert client.resume == at(1)


@CODECS
def test_w6_a_resume_brings_what_is_missing_in_order_and_voids_for_the_rest(codec: Codec) -> None:
    streams = Streams()
    for visible in (True, True, False, False, True, False):
        streams.wait(visible)
    streams.announce()
    client, seen = connected(codec, streams, at(1))
    assert [event for event in seen if isinstance(event, Delivered | Voided)] == [
        Delivered("account", 2, events.Waiting(conversation=UUID(int=9), since=2)),
        Voided("account", 3, 4),
        Delivered("account", 5, events.Waiting(conversation=UUID(int=9), since=5)),
        Voided("account", 6, 6),
        Delivered("fair", 1, streams.fair.events[0]),  # type: ignore[arg-type]
    ]
    assert client.resume == at(6, 1)


def test_w6_a_snapshot_cut_in_the_middle_leaves_nothing_to_resume() -> None:
    streams, client = Streams(), ClientSession(MSGPACK, hello(at(5)))
    client.hello()
    feed(client, [welcome(), *streams.greeting(at(5))][:3])
    assert client.state is ClientState.SNAPSHOT
    assert client.resume is None


def test_w6_resumed_from_positions_that_are_not_the_clients_is_no_resume() -> None:
    client = ClientSession(MSGPACK, hello(at(5)))
    client.hello()
    with pytest.raises(Violation) as violation:
        feed(client, [welcome(), f.Resumed(resumed=True, account=Position(epoch=11, pos=6), fair=at(5).fair)])
    assert violation.value.close is Close.POSITION_LOST
    assert client.resume is None


@CODECS
def test_w2_a_hole_demands_a_reconnect_and_resumes_before_it(codec: Codec) -> None:
    streams = Streams()
    client, _ = connected(codec, streams)
    for _ in range(3):
        streams.wait()
    frames = list(missing(streams.account, "account", 0))
    feed(client, frames[:1])
    with pytest.raises(Violation) as violation:
        feed(client, frames[2:])
    assert violation.value.close is Close.POSITION_LOST
    assert client.resume == at(1)
    _, seen = connected(codec, streams, client.resume)
    assert [event.pos for event in seen if isinstance(event, Delivered)] == [2, 3]


@CODECS
def test_w2_duplicates_are_dropped(codec: Codec) -> None:
    streams = Streams()
    client, _ = connected(codec, streams)
    streams.wait()
    frames = list(missing(streams.account, "account", 0))
    assert len(feed(client, frames + frames)) == 1


@pytest.mark.parametrize("frame", [f.Beat(pos=1, fair_pos=0), f.Beat(pos=0, fair_pos=1)])
def test_w11_a_beat_beyond_what_arrived_shows_a_loss(frame: f.Beat) -> None:
    with pytest.raises(Violation) as violation:
        feed(in_state(MSGPACK, ClientState.LIVE), [frame])
    assert violation.value.close is Close.POSITION_LOST


@CODECS
def test_w1_events_and_frames_of_a_newer_server_count_and_are_let_pass(codec: Codec) -> None:
    client, _ = connected(codec, Streams())
    body = {"type": "booking", "room": 7}
    assert feed(client, [{"t": "event", "stream": "account", "pos": 1, "body": body}]) == [
        Delivered("account", 1, UnknownEvent(type="booking", body=body))
    ]
    assert feed(client, [{"t": "weather", "sun": True}]) == [UnknownFrame("weather")]
    assert client.resume == at(1)
    with pytest.raises(Violation):
        feed(client, [{"t": "void", "stream": "account"}])


@CODECS
def test_w11_fifty_events_or_a_second_ask_for_an_ack(codec: Codec) -> None:
    streams = Streams()
    client, _ = connected(codec, streams)
    for _ in range(ACK_EVENTS):
        streams.wait()
    frames = list(missing(streams.account, "account", 0))
    feed(client, frames[:1], now=10.0)
    assert client.ack_due(10.0 + ACK_SECONDS / 2) is None
    assert client.ack_at == 10.0 + ACK_SECONDS
    assert client.ack_due(10.0 + ACK_SECONDS) == codec.encode(f.Ack(pos=1, fair_pos=0))
    assert client.ack_at is None
    feed(client, frames[1:], now=20.0)
    assert client.ack_due(20.0) is None
    streams.wait()
    feed(client, list(missing(streams.account, "account", ACK_EVENTS)), now=20.0)
    assert client.ack_due(20.0) == codec.encode(f.Ack(pos=51, fair_pos=0))


def test_w11_before_the_socket_has_a_start_an_ack_names_no_position() -> None:
    client = ClientSession(MSGPACK, hello(at(5, 2)))
    client.hello()
    feed(client, [welcome(), f.Beat(pos=0, fair_pos=0)])
    assert client.ack() == MSGPACK.encode(f.Ack(pos=0, fair_pos=0))
    feed(client, [f.Resumed(resumed=True, account=at(5, 2).account, fair=at(5, 2).fair)])
    assert client.ack() == MSGPACK.encode(f.Ack(pos=5, fair_pos=2))


@CODECS
def test_w7_a_call_is_what_the_server_takes(codec: Codec) -> None:
    client, cid = ClientSession(codec, hello()), uuid4()
    server, _ = opened(codec, client.hello())
    data = client.call("chat.recall", {"seq": 3}, cid)
    call = server.receive(data if codec.binary else data.decode())
    assert isinstance(call, f.Call)
    assert (call.cid, call.op, codec.decode_plain(call.args)) == (cid, "chat.recall", {"seq": 3})
    refresh = client.refresh("u")
    assert server.receive(refresh if codec.binary else refresh.decode()) == f.Refresh(token="u")
    with pytest.raises(Refused, match="too_large"):
        client.call("chat.send", {"text": "x" * LIMITS.frame_bytes}, cid)


def test_w13_the_range_of_a_close_code_says_what_to_do() -> None:
    actions = {code: close_action(code).value for code in (1000, 1006, 4000, 4005, 4123, 4499, 4500, 4777, 4999)}
    assert actions == {
        1000: "reconnect", 1006: "reconnect", 4000: "reconnect", 4005: "refresh", 4123: "reconnect", 4499: "reconnect",
        4500: "stop", 4777: "stop", 4999: "stop",
    }  # fmt: skip


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("account"), st.booleans()),
            st.tuples(st.just("fair"), st.just(True)),
            st.tuples(st.just("cut"), st.integers(0, 6)),
            st.tuples(st.just("epoch"), st.just(0)),
        ),
        max_size=40,
    ),
    st.sampled_from([MSGPACK, JSON]),
)
def test_w6_whatever_is_cut_recovery_is_complete_or_declared(steps: list[tuple[str, int]], codec: Codec) -> None:
    """Random events, cuts in the middle of any greeting, changed epochs: positions taken in are gapless, each once."""
    streams = Streams()
    client, seen = connected(codec, streams)
    taken = {"account": 0, "fair": 0}

    def check(events: list[SessionEvent]) -> None:
        for event in events:
            if isinstance(event, Resync):
                taken.update(account=event.account.pos, fair=event.fair.pos)
            elif isinstance(event, Delivered | Voided):
                start, end = (event.pos, event.pos) if isinstance(event, Delivered) else (event.start, event.end)
                assert start == taken[event.stream] + 1
                taken[event.stream] = end

    check(seen)
    sent = {"account": 0, "fair": 0}
    for what, value in steps:
        if what == "account":
            streams.wait(bool(value))
        elif what == "fair":
            streams.announce()
        elif what == "epoch":
            streams.account.epoch += 1
        else:
            for _ in range(2):  # cut after `value` frames of the next greeting, then whole
                resume = client.resume
                client = ClientSession(codec, hello(resume))
                client.hello()
                frames = [welcome(), *streams.greeting(resume)]
                check(feed(client, frames[:value] if _ == 0 else frames))
            sent = {"account": streams.account.top, "fair": streams.fair.top}
            assert taken == sent
        if what in {"account", "fair"} and client.state is ClientState.LIVE:
            log = streams.account if what == "account" else streams.fair
            check(feed(client, missing(log, "account" if what == "account" else "fair", taken[what])))
            assert taken[what] == log.top


@CODECS
@given(data=st.data())
def test_mutated_server_frames_raise_violations_only(codec: Codec, data: st.DataObject) -> None:
    client = in_state(codec, data.draw(st.sampled_from(list(ClientState)[1:])))
    frame = bytearray(codec.encode(fitting(data.draw(st.sampled_from(KINDS)), ClientState.LIVE)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(frame) - 1))
        frame[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=4))
        frame = frame or bytearray(b"\x80")
    text = bytes(frame).decode("utf-8", "surrogateescape")
    with suppress(Violation):
        client.receive(bytes(frame) if codec.binary else text)
