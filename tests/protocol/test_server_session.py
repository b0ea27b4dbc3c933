"""The server's side of a socket: its table, and that no bytes get past it untyped (W1, W7, W13)."""

from __future__ import annotations

import gc
import weakref
from typing import get_args
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol import frames as f
from fairwire_protocol.codec import JSON, MSGPACK, Codec
from fairwire_protocol.errors import Close, Refused
from fairwire_protocol.session import (
    FAULTS_MAX,
    FRAME_BYTES,
    SERVER_TRANSITIONS,
    FrameRefused,
    ServerSession,
    ServerState,
    Violation,
)
from wire_examples import full

CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=["msgpack", "json"])
KINDS: tuple[type[f.ClientFrame], ...] = get_args(f.ClientFrame)


def wire(codec: Codec, value: object) -> bytes | str:
    data = codec.encode(value)
    return data if codec.binary else data.decode()


def hello(protocol: tuple[int, int] = (1, 1)) -> f.Hello:
    example: f.Hello = full(f.Hello)
    return msgspec.structs.replace(example, protocol=protocol)


def opened(codec: Codec) -> ServerSession:
    session = ServerSession(codec)
    session.receive(wire(codec, hello()))
    return session


def test_every_state_and_frame_has_its_row() -> None:
    assert set(SERVER_TRANSITIONS) == {(state, kind) for state in ServerState for kind in KINDS}


@CODECS
@pytest.mark.parametrize("state", ServerState)
@pytest.mark.parametrize("kind", KINDS)
def test_every_state_meets_every_frame(codec: Codec, state: ServerState, kind: type[f.ClientFrame]) -> None:
    """The table is what happens: its next state, or its close code."""
    session = ServerSession(codec) if state is ServerState.OPENING else opened(codec)
    if state is ServerState.CLOSED:
        session.closed()
    frame = full(kind, codec=codec)
    target = SERVER_TRANSITIONS[state, kind]
    if isinstance(target, ServerState):
        assert type(session.receive(wire(codec, frame))) is kind
        assert session.state is target
        return
    with pytest.raises(Violation) as violation:
        session.receive(wire(codec, frame))
    assert violation.value.close is target
    assert session.state is ServerState.CLOSED


@CODECS
@pytest.mark.parametrize("offered", [(2, 9), (0, 0)])
def test_w1_without_a_common_version_the_socket_closes_4503(codec: Codec, offered: tuple[int, int]) -> None:
    session = ServerSession(codec)
    with pytest.raises(Violation) as violation:
        session.receive(wire(codec, hello(offered)))
    assert violation.value.close is Close.PROTOCOL_NOT_SPOKEN


def test_w1_the_highest_common_version_is_spoken() -> None:
    session = ServerSession(MSGPACK, protocol=(1, 3))
    session.receive(MSGPACK.encode(hello((0, 2))))
    assert session.version == 2


@CODECS
def test_w1_a_frame_of_the_other_kind_closes_4504(codec: Codec) -> None:
    session, data = ServerSession(codec), codec.encode(hello())
    with pytest.raises(Violation) as violation:
        session.receive(data.decode("latin-1") if codec.binary else data)
    assert violation.value.close is Close.MALFORMED


@CODECS
def test_w15_a_frame_too_large_closes_4504(codec: Codec) -> None:
    session = opened(codec)
    with pytest.raises(Violation) as violation:
        session.receive(wire(codec, f.Refresh(token="x" * FRAME_BYTES)))
    assert violation.value.close is Close.MALFORMED


@CODECS
def test_w7_a_refused_frame_tells_the_cid_it_showed(codec: Codec) -> None:
    session, cid = opened(codec), UUID("0190a5e2-7c00-7000-8000-000000000001")
    with pytest.raises(FrameRefused) as refused:
        session.receive(wire(codec, {"t": "call", "cid": str(cid), "op": 5}))
    assert (refused.value.code, refused.value.cid, refused.value.field) == ("invalid", cid, "op")
    assert refused.value.final
    with pytest.raises(FrameRefused) as refused:
        session.receive(wire(codec, {"t": "call", "cid": 12, "op": "chat.send"}))
    assert refused.value.cid is None
    assert session.state is ServerState.OPEN


@CODECS
@pytest.mark.parametrize("broken", [b"", b"\xc1", b"{", b"\xff\xff", b"[" * 40, b"\x91" * 40, b"null", b"\xc0"])
def test_w13_the_tenth_frame_that_is_none_closes_4504(codec: Codec, broken: bytes) -> None:
    session = opened(codec)
    data = broken if codec.binary else broken.decode("latin-1")
    for _ in range(FAULTS_MAX - 1):
        with pytest.raises(FrameRefused):
            session.receive(data)
    for _ in range(2):  # and whatever comes afterwards meets the same violation
        with pytest.raises(Violation) as violation:
            session.receive(data)
        assert violation.value.close is Close.MALFORMED


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(Violation):
        opened(JSON).receive('{"t":"refresh","token":"\ud800"}')


@CODECS
def test_w1_unknown_fields_of_a_newer_client_are_ignored(codec: Codec) -> None:
    plain = codec.decode_plain(codec.encode(hello()))
    session = ServerSession(codec)
    assert session.receive(wire(codec, plain | {"colour": {"of": ["the", "bicycle"]}})) == hello()


@st.composite
def mutated(draw: st.DrawFn, codec: Codec) -> bytes:
    """A frame of ours with bytes changed, inserted, cut or doubled."""
    data = bytearray(codec.encode(full(draw(st.sampled_from(KINDS)), codec=codec)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["set", "insert", "cut", "double"]))
        if how == "set" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif how == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=6))
        elif how == "cut":
            del data[at : at + draw(st.integers(1, 8))]
        else:
            data += data[at:]
    return bytes(data)


@CODECS
@given(data=st.data())
def test_mutated_frames_raise_typed_errors_only(codec: Codec, data: st.DataObject) -> None:
    session = opened(codec)
    for _ in range(3):
        raw = data.draw(mutated(codec))
        try:
            frame = session.receive(raw if codec.binary else raw.decode("utf-8", "surrogateescape"))
            if isinstance(frame, f.Call):
                codec.decode_plain(frame.args)
        except Violation:
            return
        except Refused:  # FrameRefused, or args that are no value of the codec
            pass


def test_whoever_held_a_session_that_ended_is_free_at_once() -> None:
    """An exception holds the stack that it came up through: a session that kept one would keep the connection that it is of, until
    the garbage collector comes by."""

    class Connection:
        def __init__(self) -> None:
            self.session = ServerSession(JSON)

        def receive(self, data: str) -> None:
            self.session.receive(data)

    def broken() -> weakref.ref[Connection]:
        connection = Connection()
        for _ in range(2):
            with pytest.raises(Violation):
                connection.receive("{}")
        return weakref.ref(connection)

    gc.disable()
    try:
        assert broken()() is None
    finally:
        gc.enable()
