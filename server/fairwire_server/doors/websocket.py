"""RFC 6455 from the server's side, without I/O: what arrives, as messages; what leaves, as whole frames; the answer to an upgrade.

Only what the wire uses (W1, W15): no extensions, so no compression; client frames masked; text is UTF-8; a message is bounded, whole
or in fragments. A socket that is silent keeps nothing here but an empty buffer.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Mapping
from hashlib import sha1
from typing import Final, NamedTuple

__all__ = [
    "BINARY",
    "CLOSE",
    "PING",
    "PONG",
    "TEXT",
    "Broken",
    "FrameReader",
    "Received",
    "accept_upgrade",
    "close_frame",
    "pong",
]

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
KNOWN: Final = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # §1.3
VERSION: Final = "13"
REASON_BYTES: Final = 123  # §5.5: a control frame holds 125 bytes, two of them are the code
PROTOCOL_ERROR, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
GIVEN_CODES: Final = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
"""What a peer may put into a close frame below 3000 (§7.4)."""
FRAGMENTS_MAX: Final = 4096
FRAMES_MAX: Final = 128
FED_MAX: Final = 64 * 1024
"""What is taken from one connection before others have their turn: a read of 256 KiB may hold forty thousand frames."""


class Broken(Exception):
    """The peer has broken the protocol: close with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Received(NamedTuple):
    """A whole message or a control frame. Text comes as `str`; a close frame's payload is its code (0: none given)."""

    opcode: int
    payload: bytes | str | int


class FrameReader:
    """Bytes in, messages out, `FRAMES_MAX` frames at a time. After `Broken` nothing more is fed."""

    __slots__ = ("_buffer", "_fragments", "_limit", "_opcode", "_size", "more")

    def __init__(self, limit: int) -> None:
        self.more = False
        """Whether `feed` has stopped before the end of what it has: feed it nothing to go on."""
        self._limit = limit
        self._buffer = b""
        self._opcode = CONTINUATION
        self._fragments: list[bytes] | None = None
        self._size = 0

    def feed(self, data: bytes) -> list[Received]:
        """What these bytes complete, up to `FRAMES_MAX` frames or `FED_MAX` bytes of them. Raises `Broken`."""
        if self._buffer:
            data = self._buffer + data
        received: list[Received] = []
        at, end, frames = 0, len(data), 0
        self.more = False
        while end - at >= 2:
            if frames == FRAMES_MAX or at >= FED_MAX:
                self.more = True
                break
            frames += 1
            first, second = data[at], data[at + 1]
            opcode, length = first & 0x0F, second & 0x7F
            if first & 0x70 or opcode not in KNOWN:
                raise Broken(PROTOCOL_ERROR, "reserved bits or an unknown opcode")
            if not second & 0x80:
                raise Broken(PROTOCOL_ERROR, "a client's frames are masked")
            head = 6
            if length == 126:
                if end - at < 4:
                    break
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 8
            elif length == 127:
                if end - at < 10:
                    break
                length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 14
            self._check(first, opcode, length)
            if end - at < head + length:
                break
            start = at + head
            payload = _unmasked(data[start : start + length], data[start - 4 : start]) if length else b""
            at = start + length
            if (whole := self._frame(bool(first & 0x80), opcode, payload)) is not None:
                received.append(whole)
        self._buffer = data[at:] if at else data
        return received

    def _check(self, first: int, opcode: int, length: int) -> None:
        """Before the payload is waited for: what is refused anyway must not be kept."""
        if opcode & 0x8:
            if length > 125 or not first & 0x80:
                raise Broken(PROTOCOL_ERROR, "a control frame is short and whole")
        elif self._size + length > self._limit:
            raise Broken(TOO_BIG, f"a message has at most {self._limit} bytes")
        elif (opcode == CONTINUATION) is (self._fragments is None):
            raise Broken(PROTOCOL_ERROR, "a continuation of nothing, or none of what was begun")

    def _frame(self, fin: bool, opcode: int, payload: bytes) -> Received | None:
        if opcode & 0x8:
            return Received(opcode, _close_code(payload) if opcode == CLOSE else payload)
        if self._fragments is None:
            if fin:
                return _message(opcode, payload)
            self._opcode, self._fragments = opcode, [payload]
        else:
            self._fragments.append(payload)
            if fin:
                whole = b"".join(self._fragments)
                self._fragments, self._size = None, 0
                return _message(self._opcode, whole)
            if len(self._fragments) > FRAGMENTS_MAX:
                self._fragments = [b"".join(self._fragments)]
        self._size += len(payload)
        return None


def _unmasked(payload: bytes, key: bytes) -> bytes:
    """§5.3, as one operation on one large number."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")


def _message(opcode: int, payload: bytes) -> Received:
    if opcode == BINARY:
        return Received(BINARY, payload)
    try:
        return Received(TEXT, payload.decode())
    except UnicodeDecodeError:
        raise Broken(NOT_UTF8, "text that is not UTF-8") from None


def _close_code(payload: bytes) -> int:
    if not payload:
        return 0
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not (code in GIVEN_CODES or 3000 <= code < 5000):
        raise Broken(PROTOCOL_ERROR, "a close code that nobody may send")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Broken(NOT_UTF8, "a reason that is not UTF-8") from None
    return code


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame with as much of the reason as fits: whole characters, or the client would see a broken frame instead."""
    short = reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()
    return bytes((0x80 | CLOSE, 2 + len(short))) + code.to_bytes(2, "big") + short


def pong(payload: bytes) -> bytes:
    """The answer to a ping (§5.5.3)."""
    return bytes((0x80 | PONG, len(payload))) + payload


def accept_upgrade(headers: Mapping[str, str], protocols: Mapping[str, object]) -> dict[str, str] | None:
    """The headers of the 101 that answers this upgrade (§4.2), None if it is none; with the first known subprotocol, if any is."""
    upgrade = headers.get("Upgrade", "").strip().lower()
    connection = {token.strip().lower() for token in headers.get("Connection", "").split(",")}
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        nonce = a2b_base64(key, strict_mode=True)
    except ValueError:
        return None
    if upgrade != "websocket" or "upgrade" not in connection or len(nonce) != 16:
        return None
    if headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        return None
    answer = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": b64encode(sha1(key.encode() + GUID).digest()).decode(),  # noqa: S324  # §4.2.2, no secret
    }
    offered = [token.strip() for token in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if (chosen := next((protocol for protocol in offered if protocol in protocols), None)) is not None:
        answer["Sec-WebSocket-Protocol"] = chosen
    return answer
