"""Frames and upgrades, without I/O: RFC 6455 as far as the wire uses it (W1, W15)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Frame, Opcode

from fairwire_server.doors.websocket import (
    BINARY,
    CLOSE,
    FRAMES_MAX,
    PING,
    TEXT,
    Broken,
    FrameReader,
    Received,
    accept_upgrade,
    close_frame,
    pong,
)

LIMIT = 70_000
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def sent(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """A frame as the `websockets` library writes it: an independent hand."""
    return Frame(Opcode(opcode), payload, fin).serialize(mask=masked)


def read(data: bytes, limit: int = LIMIT) -> list[Received]:
    return fed(FrameReader(limit), data)


def fed(reader: FrameReader, data: bytes) -> list[Received]:
    """All that these bytes complete."""
    received = reader.feed(data)
    while reader.more:
        received += reader.feed(b"")
    return received


messages = st.lists(
    st.one_of(
        st.tuples(st.just(BINARY), st.binary(max_size=300)),
        st.tuples(st.just(TEXT), st.text(max_size=80).map(str.encode)),
        st.tuples(st.just(PING), st.binary(max_size=125)),
    ),
    max_size=6,
)


@given(messages, st.lists(st.integers(1, 40), min_size=1, max_size=20), st.integers(1, 60))
def test_however_it_is_cut_the_same_messages_arrive(
    said: list[tuple[int, bytes]], cuts: list[int], fragment: int
) -> None:
    line, expected = b"", []
    for opcode, payload in said:
        if opcode == PING:
            line += sent(PING, payload)
        else:
            pieces = [payload[at : at + fragment] for at in range(0, len(payload), fragment)] or [b""]
            for number, piece in enumerate(pieces):
                line += sent(opcode if number == 0 else 0, piece, fin=number == len(pieces) - 1)
                if number < len(pieces) - 1:
                    line += sent(PING, b"between")  # §5.4: control frames may come between fragments
                    expected.append(Received(PING, b"between"))
        expected.append(Received(opcode, payload.decode() if opcode == TEXT else payload))
    reader, received, at, turn = FrameReader(LIMIT), [], 0, 0
    while at < len(line):
        size = cuts[turn % len(cuts)]
        received += fed(reader, line[at : at + size])
        at, turn = at + size, turn + 1
    assert received == expected


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, LIMIT])
def test_every_form_of_length(size: int) -> None:
    assert read(sent(BINARY, b"x" * size)) == [Received(BINARY, b"x" * size)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (sent(BINARY, b"x", masked=False), 1002),
        (bytes((0xC2, 0x80)) + bytes(4), 1002),  # RSV1: compression was not agreed on
        (bytes((0x92, 0x80)) + bytes(4), 1002),
        (bytes((0x83, 0x80)) + bytes(4), 1002),  # an opcode nobody has given a meaning
        (bytes((0x8B, 0x80)) + bytes(4), 1002),
        (bytes((0x09, 0x80)) + bytes(4), 1002),  # a ping in fragments
        (bytes((0x89, 0xFE, 0, 126)), 1002),  # a ping of 126 bytes
        (sent(0, b"x"), 1002),  # continues nothing
        (sent(TEXT, b"a", fin=False) + sent(TEXT, b"b"), 1002),
        (sent(TEXT, b"\xff"), 1007),
        (sent(TEXT, b"\xed\xa0\x80"), 1007),  # a surrogate
        (sent(BINARY, b"x" * (LIMIT + 1)), 1009),
        (sent(CLOSE, b"\x03"), 1002),
        (sent(CLOSE, (1005).to_bytes(2, "big")), 1002),
        (sent(CLOSE, (2999).to_bytes(2, "big")), 1002),
        (sent(CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1007),
    ],
    ids=range(16),  # masks are drawn
)
def test_what_breaks_the_protocol_names_its_close_code(line: bytes, code: int) -> None:
    with pytest.raises(Broken) as broken:
        read(line)
    assert broken.value.code == code


def test_a_length_that_is_refused_is_refused_before_its_payload_comes_w15() -> None:
    with pytest.raises(Broken) as broken:
        read(bytes((0x82, 0xFF)) + (2**63).to_bytes(8, "big"))
    assert broken.value.code == 1009


def test_fragments_count_together_and_a_flood_of_empty_ones_is_kept_small_w15() -> None:
    reader = FrameReader(LIMIT)
    reader.feed(sent(BINARY, b"x" * LIMIT, fin=False))
    assert fed(reader, sent(0, b"", fin=False) * 20_000) == []
    with pytest.raises(Broken) as broken:
        reader.feed(sent(0, b"x"))
    assert broken.value.code == 1009


def test_what_comes_at_once_is_taken_a_little_at_a_time_w12() -> None:
    """A read of 256 KiB holds forty thousand frames, or several of 64 KiB; others have their turn in between."""
    pings = [Received(PING, str(number).encode()) for number in range(10_000)]
    reader, received = FrameReader(LIMIT), []
    took = reader.feed(b"".join(sent(PING, ping.payload) for ping in pings if isinstance(ping.payload, bytes)))
    while took:
        assert len(took) <= FRAMES_MAX
        received += took
        took = reader.feed(b"") if reader.more else []
    assert received == pings
    reader = FrameReader(LIMIT)
    assert len(reader.feed(sent(BINARY, b"x" * LIMIT) * 3)) == 1
    assert reader.more


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_close_is_read_and_ours_is_read_by_another_library_w13(code: int) -> None:
    assert read(sent(CLOSE, Close(code, "bye").serialize())) == [Received(CLOSE, code)]
    frame = close_frame(4501, "再见" * 60)
    assert len(frame) <= 127
    close = Close.parse(frame[2:])
    assert close.code == 4501
    assert ("再见" * 60).startswith(close.reason)
    assert close.reason
    assert pong(b"abc") == sent(0xA, b"abc", masked=False)


def test_an_upgrade_is_answered_as_the_rfc_shows() -> None:
    answer = accept_upgrade(UPGRADE | {"Sec-WebSocket-Protocol": "chat, b, a"}, {"a": 1, "b": 2})
    assert answer is not None
    assert answer["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 §1.3
    assert answer["Sec-WebSocket-Protocol"] == "b"


@pytest.mark.parametrize(
    "wrong",
    [
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "dGhlIHNhbXBsZQ=="},
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Version": ""},
    ],
)
def test_what_is_no_upgrade_is_not_answered_as_one(wrong: dict[str, str]) -> None:
    assert accept_upgrade(UPGRADE | wrong, {}) is None
