"""A message's row as each side may see it: pure, and the only place where that is decided (C8, C12, K2).

The same row feeds live events, replay, history, search, entries and reports, so that they cannot differ.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from fairwire_protocol.models import (
    BookingNote,
    Card,
    Image,
    Message,
    MessageKind,
    Person,
    Side,
    Transfer,
    TransferReason,
)
from fairwire_server.clock import milliseconds
from fairwire_server.database.pool import Row

__all__ = ["COLUMNS", "MessageRow", "TransferDetail", "render_message"]


class TransferDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What a transfer's message keeps in `detail`."""

    source: Person
    to: Person
    reason: TransferReason
    by: Person | None = None
    note: str = ""


class MessageRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of `message_full`, in the view's order."""

    conversation_id: UUID
    seq: int
    kind: MessageKind
    side: Side
    sender_id: UUID
    sender_name: str
    text: str | None
    detail: str | None
    """A card's or a transfer's facts, as JSON."""
    message_at: datetime
    recalled_at: datetime | None
    cid: UUID
    image_id: UUID | None = None
    image_kind: Literal["png", "jpeg", "webp", "gif"] | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None

    @classmethod
    def of(cls, row: Row) -> MessageRow:
        """From a record that has the view's columns, among others."""
        return cls(*(row[name] for name in COLUMNS))


COLUMNS: Final = MessageRow.__struct_fields__


def render_message(row: MessageRow, view: Side) -> Message:
    """The message for one side: the buyer never sees a transfer's note or giver; a recalled message has no content."""
    kind = row.kind
    system = kind in ("transfer", "booking")
    said = row.recalled_at is None and not system
    return Message(
        conversation=row.conversation_id,
        seq=row.seq,
        kind=kind,
        side=row.side,
        ts=milliseconds(row.message_at),
        sender=None if kind == "transfer" and view == "buyer" else Person(id=row.sender_id, name=row.sender_name),
        text=row.text if said and kind == "text" else None,
        image=_image(row) if said and kind == "image" else None,
        card=msgspec.json.decode(row.detail or "", type=Card) if said and kind == "card" else None,
        transfer=_transfer(row, view) if kind == "transfer" else None,
        booking=msgspec.json.decode(row.detail or "", type=BookingNote) if kind == "booking" else None,
        recalled=not said and not system,
        cid=row.cid if kind in ("text", "image") else None,
    )


def _transfer(row: MessageRow, view: Side) -> Transfer:
    detail = msgspec.json.decode(row.detail or "", type=TransferDetail)
    if view == "buyer":
        return Transfer(to=detail.to)
    return Transfer(to=detail.to, source=detail.source, by=detail.by, reason=detail.reason, note=detail.note or None)


def _image(row: MessageRow) -> Image | None:
    if row.image_id is None or row.image_kind is None:
        return None
    return Image(
        id=row.image_id, kind=row.image_kind, width=row.width or 0, height=row.height or 0, bytes=row.bytes or 0
    )
