"""Frames: everything that crosses a socket, as two closed unions (W1).

A frame is one WebSocket message holding one map whose `t` says what it is. `ClientFrame` is what a server accepts,
`ServerFrame` what a client accepts. `args`, `result` and `body` stay raw here; their types belong to the operation
(`operations.py`) and the event (`events.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Raw, Struct

from fairwire_protocol.models import Account, Booking, Entry, Limits, Message, Offer, Place, Pos, Position, Presence

__all__ = [
    "Ack", "Beat", "Bye", "Call", "ClientFrame", "Device", "Error", "Event", "Hello", "Live", "Looking", "PresenceChanged",
    "Refresh", "Refreshed", "Reply", "Resume", "Resumed", "ServerFrame", "Snapshot", "Stream", "Typing", "Void", "Welcome",
]  # fmt: skip

Stream = Literal["account", "fair"]
ShortText = Annotated[str, Meta(max_length=200)]


class Frame(Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="t"):
    """Base of every frame."""


class Device(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Which of the account's devices this is; `id` is made once by the client and kept."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(max_length=100)] = ""


class Resume(Struct, frozen=True, kw_only=True):
    """Where the client stands in both streams (W6)."""

    account: Position
    fair: Position


# client → server


class Hello(Frame, tag="hello", frozen=True, kw_only=True):
    """The first frame, within `first_frame` of opening (W1)."""

    protocol: tuple[int, int]
    token: Annotated[str, Meta(max_length=2000)]
    device: Device
    capabilities: Annotated[tuple[ShortText, ...], Meta(max_length=50)] = ()
    language: Annotated[str, Meta(max_length=35)] = "zh"
    resume: Resume | None = None


class Call(Frame, tag="call", frozen=True, kw_only=True):
    """Run operation `op`. `cid` names the call, and the command for ever if it changes something (W7)."""

    cid: UUID
    op: Annotated[str, Meta(max_length=64)]
    args: Raw = Raw(b"")


class Ack(Frame, tag="ack", frozen=True, kw_only=True):
    """How far the client has taken in both streams (W11)."""

    pos: Pos
    fair_pos: Pos


class Refresh(Frame, tag="refresh", frozen=True, kw_only=True):
    """A newer access token of the same session, to stay connected past the old one's end (W13)."""

    token: Annotated[str, Meta(max_length=2000)]


ClientFrame = Hello | Call | Ack | Refresh


# server → client


class BeatPlan(Struct, frozen=True, kw_only=True):
    """How often `beat` comes and how soon it must be answered (W11)."""

    interval_ms: int
    answer_ms: int


class Welcome(Frame, tag="welcome", frozen=True, kw_only=True):
    """The handshake is accepted (W1)."""

    session: UUID
    protocol: int
    capabilities: tuple[str, ...]
    limits: Limits
    beat: BeatPlan
    server_time: int
    build: str
    account: Account
    expires_at: int
    """When the access token ends; send `refresh` before."""


class Resumed(Frame, tag="resumed", frozen=True, kw_only=True):
    """The answer to `hello.resume`, and to a hello without (reason `new`): either the missing events follow, or a snapshot (W6)."""

    resumed: bool
    account: Position
    fair: Position
    reason: Literal["new", "epoch", "too_old", "too_many"] | None = None


class Snapshot(Frame, tag="snapshot", frozen=True, kw_only=True):
    """A part of the first state (W5); `last` marks the final part. All parts belong to the positions in `resumed`."""

    part: int
    last: bool
    account: Account | None = None
    entries: tuple[Entry, ...] = ()
    starred: tuple[UUID, ...] = ()
    messages: tuple[Message, ...] = ()
    offers: tuple[Offer, ...] = ()
    bookings: tuple[Booking, ...] = ()
    """Pending and assigned ones that have not ended."""
    places: tuple[Place, ...] = ()


class Live(Frame, tag="live", frozen=True, kw_only=True):
    """Everything up to these positions was sent; from here on events arrive as they happen (W6)."""

    pos: Pos
    fair_pos: Pos


class Event(Frame, tag="event", frozen=True, kw_only=True):
    """A durable event at its position (W2, W3)."""

    stream: Stream
    pos: Pos
    body: Raw


class Void(Frame, tag="void", rename={"start": "from", "end": "to"}, frozen=True, kw_only=True):
    """Positions `from`…`to` hold nothing for this client; count them as seen (W6)."""

    stream: Stream
    start: Pos
    end: Pos


class Reply(Frame, tag="reply", frozen=True, kw_only=True):
    """The call succeeded; what it changed is durable (W7)."""

    cid: UUID
    result: Raw = Raw(b"")
    duplicate: bool = False


class Error(Frame, tag="error", frozen=True, kw_only=True):
    """The call `cid` was refused. Temporary exactly when `retry_after_ms` is present (W7)."""

    code: str
    message: str
    cid: UUID | None = None
    field: str | None = None
    retry_after_ms: int | None = None
    detail: Raw | msgspec.UnsetType = msgspec.UNSET
    correlation: str | None = None


class Beat(Frame, tag="beat", frozen=True, kw_only=True):
    """Heartbeat and position check; answer with `ack` (W11)."""

    pos: Pos
    fair_pos: Pos


class Refreshed(Frame, tag="refreshed", frozen=True, kw_only=True):
    """The socket's token is replaced."""

    expires_at: int


class Bye(Frame, tag="bye", frozen=True, kw_only=True):
    """The socket is about to close with `code` (W13)."""

    code: int
    reason: str
    retry_after_ms: int | None = None


class PresenceChanged(Frame, tag="presence", frozen=True, kw_only=True):
    """Presence of watched subjects (W10). No position; may be dropped."""

    states: tuple[Presence, ...]


class Typing(Frame, tag="typing", frozen=True, kw_only=True):
    """Somebody is typing, for `for_ms` unless repeated (C16). No position; may be dropped."""

    conversation: UUID
    account: UUID | None
    """None: the exhibitor's side, as the buyer sees it."""
    for_ms: int


class Looking(Frame, tag="looking", frozen=True, kw_only=True):
    """A colleague is looking at the chat, for `for_ms` unless repeated (C16). No position; may be dropped."""

    conversation: UUID
    account: UUID | None
    for_ms: int


ServerFrame = (
    Welcome
    | Resumed
    | Snapshot
    | Live
    | Event
    | Void
    | Reply
    | Error
    | Beat
    | Refreshed
    | Bye
    | PresenceChanged
    | Typing
    | Looking
)
