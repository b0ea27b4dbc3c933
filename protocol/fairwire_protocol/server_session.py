"""The server's side of one socket: what a client may send when, and which version both speak (W1). See `session.py`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol import frames as f
from fairwire_protocol.closing import FRAME_BYTES, Violation
from fairwire_protocol.codec import Codec
from fairwire_protocol.errors import Close, FairwireError, Refused

__all__ = ["FAULTS_MAX", "SERVER_TRANSITIONS", "FrameRefused", "ServerSession", "ServerState"]

FAULTS_MAX: Final = 10
"""How many frames of one socket may deserve no more than an `error`; this one closes it."""


class FrameRefused(Refused):
    """One frame is not accepted, the socket lives on; `cid` is the call's, if the frame still showed it."""

    def __init__(self, cause: FairwireError, cid: UUID | None) -> None:
        super().__init__(cause.code, cause.message, field=cause.field)
        self.cid = cid


class _Named(msgspec.Struct):
    cid: str = ""


class ServerState(Enum):
    """What the server has seen of this socket."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


SERVER_TRANSITIONS: Final[Mapping[tuple[ServerState, type[f.ClientFrame]], ServerState | Close]] = {
    (ServerState.OPENING, f.Hello): ServerState.OPEN,
    (ServerState.OPENING, f.Call): Close.MALFORMED,
    (ServerState.OPENING, f.Ack): Close.MALFORMED,
    (ServerState.OPENING, f.Refresh): Close.MALFORMED,
    (ServerState.OPEN, f.Hello): Close.MALFORMED,
    (ServerState.OPEN, f.Call): ServerState.OPEN,
    (ServerState.OPEN, f.Ack): ServerState.OPEN,
    (ServerState.OPEN, f.Refresh): ServerState.OPEN,
    (ServerState.CLOSED, f.Hello): Close.MALFORMED,
    (ServerState.CLOSED, f.Call): Close.MALFORMED,
    (ServerState.CLOSED, f.Ack): Close.MALFORMED,
    (ServerState.CLOSED, f.Refresh): Close.MALFORMED,
}


class ServerSession:
    """The server's side of one socket: what the client may send when, and which version both speak."""

    __slots__ = ("_broken", "_faults", "_frame_bytes", "_protocol", "codec", "state", "version")

    def __init__(self, codec: Codec, *, protocol: tuple[int, int] = (1, 1), frame_bytes: int = FRAME_BYTES) -> None:
        self.codec = codec
        self._frame_bytes = frame_bytes
        self.state = ServerState.OPENING
        self.version: int | None = None
        """The protocol version agreed on, once `hello` was taken."""
        self._protocol = protocol
        self._faults = 0
        self._broken: tuple[Close, str] | None = None
        """The violation. Not the exception itself: that holds the stack it came up through, and so whoever holds this session."""

    def receive(self, data: bytes | str) -> f.ClientFrame:
        """Take one WebSocket message: text as `str`, binary as `bytes`.

        Raises `FrameRefused` for a frame that deserves an `error` answer and `Violation` when the socket must close.
        After a `Violation` every further call raises it again.
        """
        if self._broken is not None:
            raise Violation(*self._broken)
        raw = self._of_this_codec(data)
        try:
            frame = self.codec.decode_client_frame(raw)
        except FairwireError as error:
            raise self._fault(error, raw) from None
        target = SERVER_TRANSITIONS[self.state, type(frame)]
        if isinstance(target, Close):
            reason = "hello twice" if isinstance(frame, f.Hello) else "the first frame is hello"
            raise self._close(target, reason)
        if isinstance(frame, f.Hello):
            self.version = self._agree(frame.protocol)
        self.state = target
        return frame

    def closed(self) -> None:
        """The socket has closed for a reason outside the protocol."""
        self.state = ServerState.CLOSED

    def _of_this_codec(self, data: bytes | str) -> bytes:
        if isinstance(data, str) is self.codec.binary:
            raise self._close(Close.MALFORMED, f"{self.codec.subprotocol} has the other kind of frames")
        try:
            raw = data.encode() if isinstance(data, str) else data
        except UnicodeEncodeError:  # a lone surrogate: never valid UTF-8 on a wire, yet possible in a str
            raise self._close(Close.MALFORMED, "not UTF-8") from None
        if len(raw) > self._frame_bytes:
            raise self._close(Close.MALFORMED, f"a frame is at most {self._frame_bytes} bytes")
        return raw

    def _agree(self, offered: tuple[int, int]) -> int:
        """The highest version both speak."""
        low, high = max(offered[0], self._protocol[0]), min(offered[1], self._protocol[1])
        if low > high:
            reason = f"this server speaks versions {self._protocol[0]} to {self._protocol[1]}"
            raise self._close(Close.PROTOCOL_NOT_SPOKEN, reason)
        return high

    def _fault(self, error: FairwireError, raw: bytes) -> FrameRefused | Violation:
        if self.state is ServerState.OPENING:
            return self._close(Close.MALFORMED, "the first frame is hello: " + error.message)
        self._faults += 1
        if self._faults >= FAULTS_MAX:
            return self._close(Close.MALFORMED, f"{FAULTS_MAX} frames that are none; the last: {error.message}")
        return FrameRefused(error, self._cid_of(raw) if error.code == "invalid" else None)

    def _cid_of(self, raw: bytes) -> UUID | None:
        """The cid of a frame that is a map and fails only as a frame. Nothing else of it is built."""
        try:
            return UUID(self.codec.decode(raw, _Named).cid)
        except (FairwireError, ValueError):
            return None

    def _close(self, close: Close, reason: str) -> Violation:
        self.state = ServerState.CLOSED
        self._broken = close, reason[:120]
        return Violation(*self._broken)
