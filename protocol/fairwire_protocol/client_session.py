"""The client's side of one socket: greeting, cursors, holes, duplicates and acknowledgements (W1, W5, W6, W11). See `session.py`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol import frames as f
from fairwire_protocol.closing import FRAME_BYTES, Violation
from fairwire_protocol.codec import Codec
from fairwire_protocol.cursor import Cursor, Step
from fairwire_protocol.errors import Close, FairwireError, Refused
from fairwire_protocol.events import AccountEvent, FairEvent
from fairwire_protocol.models import Pos

__all__ = [
    "ACK_EVENTS", "ACK_SECONDS", "CLIENT_TRANSITIONS", "Body", "ClientSession", "ClientState", "Delivered", "Resync",
    "SessionEvent", "UnknownEvent", "UnknownFrame", "Voided",
]  # fmt: skip

ACK_EVENTS: Final = 50
ACK_SECONDS: Final = 1.0


class ClientState(Enum):
    """How far the client's side of a socket has come."""

    START = "start"
    GREETING = "greeting"
    WELCOMED = "welcomed"
    SNAPSHOT = "snapshot"
    REPLAYING = "replaying"
    LIVE = "live"
    LEAVING = "leaving"


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A durable event of a type this client does not know: its position counts, its body is left alone (W1)."""

    type: str
    body: object


Body = AccountEvent | FairEvent | UnknownEvent


class Delivered(msgspec.Struct, frozen=True):
    """The next event of a stream, once."""

    stream: f.Stream
    pos: Pos
    body: Body


class Voided(msgspec.Struct, frozen=True):
    """Positions that hold nothing for this client were passed (W6)."""

    stream: f.Stream
    start: Pos
    end: Pos


class Resync(msgspec.Struct, frozen=True):
    """The whole first state: forget what was known before and start from these parts and positions (W5)."""

    account: Cursor
    fair: Cursor
    parts: tuple[f.Snapshot, ...]


class UnknownFrame(msgspec.Struct, frozen=True):
    """A frame kind of a newer server: ignored (W1)."""

    kind: str


SessionEvent = (
    f.Welcome
    | f.Resumed
    | Resync
    | f.Live
    | Delivered
    | Voided
    | f.Reply
    | f.Error
    | f.Beat
    | f.Refreshed
    | f.Bye
    | f.PresenceChanged
    | f.Typing
    | f.Looking
    | UnknownFrame
)

_S = ClientState
_GREETED = (_S.WELCOMED, _S.SNAPSHOT, _S.REPLAYING, _S.LIVE, _S.LEAVING)
_ANY_TIME: tuple[type[f.ServerFrame], ...] = (
    f.Reply, f.Error, f.Beat, f.Refreshed, f.PresenceChanged, f.Typing, f.Looking,
)  # fmt: skip
_IN_ORDER: dict[tuple[ClientState, type[f.ServerFrame]], ClientState | Close] = {
    (_S.GREETING, f.Welcome): _S.WELCOMED,
    (_S.GREETING, f.Error): _S.GREETING,
    (_S.GREETING, f.Bye): _S.LEAVING,
    (_S.WELCOMED, f.Resumed): _S.REPLAYING,  # or SNAPSHOT, as it says
    (_S.SNAPSHOT, f.Snapshot): _S.SNAPSHOT,  # or REPLAYING, after the last part
    (_S.REPLAYING, f.Event): _S.REPLAYING,
    (_S.REPLAYING, f.Void): _S.REPLAYING,
    (_S.REPLAYING, f.Live): _S.LIVE,
    (_S.LIVE, f.Event): _S.LIVE,
    (_S.LIVE, f.Void): _S.LIVE,
    (_S.LEAVING, f.Event): _S.LEAVING,
    (_S.LEAVING, f.Void): _S.LEAVING,
    (_S.LEAVING, f.Live): _S.LEAVING,
}
_SERVER_FRAMES: tuple[type[f.ServerFrame], ...] = (
    f.Welcome, f.Resumed, f.Snapshot, f.Live, f.Event, f.Void, f.Bye, *_ANY_TIME,
)  # fmt: skip
CLIENT_TRANSITIONS: Final[Mapping[tuple[ClientState, type[f.ServerFrame]], ClientState | Close]] = (
    {(state, kind): Close.POSITION_LOST for state in ClientState for kind in _SERVER_FRAMES}
    | {(state, kind): state for state in _GREETED for kind in _ANY_TIME}
    | {(state, f.Bye): _S.LEAVING for state in _GREETED}
    | _IN_ORDER
)
"""A frame out of order means that something was lost or the server is at fault; either way a fresh socket is the cure."""


class ClientSession:
    """The client's side of one socket: the greeting, both cursors, holes, duplicates and acknowledgements.

    `now` is any monotonic count of seconds; it only spaces acknowledgements. Feed every WebSocket message to `receive`,
    send what `hello`, `call`, `refresh` and `ack` return, and after each `receive` or timer send `ack_due(now)`.
    """

    __slots__ = (
        "_account", "_fair", "_hello", "_incoming", "_parts", "_since", "_taken", "codec", "state", "welcome",
    )  # fmt: skip

    def __init__(self, codec: Codec, hello: f.Hello) -> None:
        self.codec = codec
        self.state = ClientState.START
        self.welcome: f.Welcome | None = None
        self._hello = hello
        resume = hello.resume
        self._account = Cursor.of(resume.account) if resume else None
        self._fair = Cursor.of(resume.fair) if resume else None
        self._incoming: f.Resumed | None = None
        self._parts: list[f.Snapshot] = []
        self._taken = 0
        self._since: float | None = None

    # what to send

    def hello(self) -> bytes:
        """The first frame."""
        if self.state is not ClientState.START:
            raise ValueError("hello is sent once")
        self.state = ClientState.GREETING
        return self.codec.encode(self._hello)

    def call(self, op: str, args: object, cid: UUID) -> bytes:
        """A call. The same cid again is the same command (W7). Raises `Refused("too_large")` beyond the frame limit."""
        raw = msgspec.Raw(args if isinstance(args, bytes) else self.codec.encode(args))
        data = self.codec.encode(f.Call(cid=cid, op=op, args=raw))
        limit = self.welcome.limits.frame_bytes if self.welcome else FRAME_BYTES
        if len(data) > limit:
            raise Refused("too_large", f"a frame is at most {limit} bytes, this one has {len(data)}")
        return data

    def refresh(self, token: str) -> bytes:
        """A newer access token for this socket (W13)."""
        return self.codec.encode(f.Refresh(token=token))

    def ack(self) -> bytes:
        """How far both streams were taken in; the answer to a beat, at once (W11).

        Zero until `resumed` has said where this socket starts: an ack never names what was not sent on it.
        """
        self._taken, self._since = 0, None
        settled = self.state in {_S.REPLAYING, _S.LIVE, _S.LEAVING}
        account, fair = (self._account, self._fair) if settled else (None, None)
        return self.codec.encode(f.Ack(pos=account.pos if account else 0, fair_pos=fair.pos if fair else 0))

    def ack_due(self, now: float) -> bytes | None:
        """The ack that 50 events or 1 s of traffic ask for, when they do (W11)."""
        due = self._taken >= ACK_EVENTS or (self._since is not None and now - self._since >= ACK_SECONDS)
        return self.ack() if due else None

    @property
    def ack_at(self) -> float | None:
        """When `ack_due` will have something to say if nothing else arrives; None while everything is acknowledged."""
        return None if self._since is None else self._since + ACK_SECONDS

    @property
    def resume(self) -> f.Resume | None:
        """What the next socket's hello resumes from; None while there is no whole state to resume."""
        if self._account is None or self._fair is None:
            return None
        return f.Resume(account=self._account.position(), fair=self._fair.position())

    # what arrived

    def receive(self, data: bytes | str, now: float = 0.0) -> list[SessionEvent]:
        """Take one WebSocket message. Raises `Violation` when only a fresh socket helps; reconnect with `resume` then."""
        if isinstance(data, str) is self.codec.binary:
            raise Violation(Close.POSITION_LOST, "the other kind of frames")
        try:
            raw = data.encode() if isinstance(data, str) else data
        except UnicodeEncodeError:  # as in ServerSession
            raise Violation(Close.POSITION_LOST, "not UTF-8") from None
        try:
            frame = self.codec.decode_server_frame(raw)
        except FairwireError as error:
            return [self._unknown(raw, error)]
        target = CLIENT_TRANSITIONS[self.state, type(frame)]
        if isinstance(target, Close):
            raise Violation(target, f"{type(frame).__name__.lower()} while {self.state.value}")
        self.state = target
        return self._take(frame, now)

    def _take(self, frame: f.ServerFrame, now: float) -> list[SessionEvent]:
        match frame:
            case f.Event():
                return self._event(frame, now)
            case f.Void():
                return self._void(frame, now)
            case f.Welcome():
                self.welcome = frame
            case f.Resumed():
                self._resumed(frame)
            case f.Snapshot():
                return self._snapshot(frame)
            case f.Live() | f.Beat():
                self._check(frame)
            case _:
                pass
        return [frame]

    def _resumed(self, frame: f.Resumed) -> None:
        if frame.resumed:
            if Cursor.of(frame.account) != self._account or Cursor.of(frame.fair) != self._fair:
                self._account = self._fair = None
                raise Violation(Close.POSITION_LOST, "resumed from positions that are not this client's")
            return
        # Until the last part is here there is no state to resume: a cut in between starts over.
        self.state = ClientState.SNAPSHOT
        self._account = self._fair = None
        self._incoming, self._parts = frame, []

    def _snapshot(self, frame: f.Snapshot) -> list[SessionEvent]:
        if frame.part != len(self._parts):
            raise Violation(Close.POSITION_LOST, f"part {frame.part} of the snapshot after {len(self._parts)} parts")
        self._parts.append(frame)
        if not frame.last or self._incoming is None:
            return []
        self.state = ClientState.REPLAYING
        self._account, self._fair = Cursor.of(self._incoming.account), Cursor.of(self._incoming.fair)
        parts, self._parts, self._incoming = tuple(self._parts), [], None
        return [Resync(self._account, self._fair, parts)]

    def _event(self, frame: f.Event, now: float) -> list[SessionEvent]:
        if not self._advance(frame.stream, frame.pos, frame.pos, now):
            return []
        return [Delivered(frame.stream, frame.pos, self._body(frame))]

    def _void(self, frame: f.Void, now: float) -> list[SessionEvent]:
        if not self._advance(frame.stream, frame.start, frame.end, now):
            return []
        return [Voided(frame.stream, frame.start, frame.end)]

    def _advance(self, stream: f.Stream, start: int, end: int, now: float) -> bool:
        cursor = self._account if stream == "account" else self._fair
        if cursor is None:
            raise Violation(Close.POSITION_LOST, f"{stream} {start} without a state to apply it to")
        step, moved = cursor.take(start, end)
        if step is Step.HOLE:
            raise Violation(Close.POSITION_LOST, f"{stream} stands at {cursor.pos}, {start} came")
        if step is Step.DUPLICATE:
            return False
        if stream == "account":
            self._account = moved
        else:
            self._fair = moved
        self._taken += 1
        if self._since is None:
            self._since = now
        return True

    def _check(self, frame: f.Live | f.Beat) -> None:
        """Both say what was sent on this socket before them; a client that stands lower has lost something (W11)."""
        if self._account is None or self._fair is None or self.state is ClientState.LEAVING:
            return
        if frame.pos > self._account.pos or frame.fair_pos > self._fair.pos:
            mine = f"account {self._account.pos}, fair {self._fair.pos}"
            raise Violation(Close.POSITION_LOST, f"{mine}; sent were {frame.pos} and {frame.fair_pos}")

    def _body(self, frame: f.Event) -> Body:
        kind: type[Body] = AccountEvent if frame.stream == "account" else FairEvent  # type: ignore[assignment]
        try:
            return self.codec.decode(frame.body, kind)
        except FairwireError:
            plain = self._plain(frame.body)
            name = plain.get("type") if isinstance(plain, dict) else None
            return UnknownEvent(type=name if isinstance(name, str) else "", body=plain)

    def _unknown(self, raw: bytes, error: FairwireError) -> UnknownFrame:
        """A frame of a newer server is let pass; bytes that are no frame at all end the socket."""
        plain = self._plain(raw)
        kind = plain.get("t") if isinstance(plain, dict) else None
        if isinstance(kind, str) and kind not in _KINDS:
            return UnknownFrame(kind)
        raise Violation(Close.POSITION_LOST, error.message[:120])

    def _plain(self, raw: bytes | msgspec.Raw) -> object:
        try:
            return self.codec.decode_plain(raw)
        except FairwireError:
            return None


_KINDS: Final = frozenset(str(kind.__struct_config__.tag) for kind in _SERVER_FRAMES)
