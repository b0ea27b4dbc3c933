"""What the chat store gives back: typed rows, and the facts a batch of messages is decided on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from fairwire_protocol.models import AccountKind
from fairwire_server.chat.rules import Conversation
from fairwire_server.database.ids import Id

__all__ = [
    "Accepted",
    "Earlier",
    "ImageFact",
    "Locked",
    "LockedConversation",
    "Post",
    "SendFacts",
    "SenderFact",
    "TeamFact",
]


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """A committed text, for the search index."""

    conversation: UUID
    seq: int
    exhibitor: UUID
    at: datetime
    text: str


@dataclass(slots=True, kw_only=True)
class LockedConversation(Conversation):
    """A conversation with its ids as they are looked up and written again."""

    id: Id
    fair: Id
    exhibitor: Id
    buyer: Id
    holder: Id


@dataclass(slots=True)
class Locked:
    """A locked conversation, and where it stood in the recent lists of its buyer and holder (None: in no list yet)."""

    conversation: LockedConversation
    buyer_last_pos: int | None
    holder_last_pos: int | None


class SenderFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A sender's session and account as they are now (A6)."""

    session: Id
    account: Id
    kind: AccountKind
    state: str
    name: str
    revoked: bool
    silenced: bool
    complete: bool


class TeamFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An exhibitor's account."""

    id: Id
    exhibitor: Id
    kind: AccountKind
    state: str
    name: str


class Earlier(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message that already bears the cid (W7)."""

    sender: Id
    cid: Id
    conversation: Id
    seq: int
    kind: str
    fingerprint: str | None
    at: datetime


class ImageFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An image that is to be sent."""

    id: Id
    owner: Id
    kind: Literal["png", "jpeg", "webp", "gif"]
    width: int
    height: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SendFacts:
    """Everything but the locked rows that a batch is decided on."""

    senders: dict[UUID, SenderFact]
    """By session."""
    team: dict[UUID, dict[UUID, TeamFact]]
    """By exhibitor, by account."""
    earlier: dict[tuple[UUID, UUID], Earlier]
    """By (sender, cid)."""
    images: dict[UUID, ImageFact]


class Post(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message about to be written."""

    conversation: UUID
    seq: int
    kind: Literal["text", "image", "card", "transfer", "booking"]
    side: Literal["buyer", "team"]
    sender: UUID
    cid: UUID
    text: str | None = None
    image: UUID | None = None
    detail: bytes | None = None
    flagged: bool = False
    fingerprint: bytes | None = None
