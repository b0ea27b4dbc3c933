"""A message's row as each side may see it: pure, and the only place where that is decided (C8, C12, K2).

The same row feeds live events, replay, history, search, entries and reports, so that they cannot differ.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from fairwire_protocol.models import Card, Image, Message, MessageKind, Person, Side, Transfer, TransferReason
from fairwire_server.clock import milliseconds
from fairwire_server.database.pool import Row

__all__ = ["MessageRow", "TransferDetail", "render_message"]


class TransferDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What a transfer's message keeps in `detail`."""

    source: Person
    to: Person
    reason: TransferReason
    by: Person | None = None
    note: str = ""


class MessageRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of `message_full`; the order is `message_array`'s."""

    conversation_id: UUID
    seq: int
    kind: MessageKind
    side: Side
    sender_id: UUID
    sender_name: str
    text: str | None
    detail: msgspec.Raw  # a union with None is beyond Raw: null is the word null
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
        detail = row["detail"]
        return cls(
            row["conversation_id"],
            row["seq"],
            row["kind"],
            row["side"],
            row["sender_id"],
            row["sender_name"],
            row["text"],
            msgspec.Raw(detail or b"null"),
            row["message_at"],
            row["recalled_at"],
            row["cid"],
            row["image_id"],
            row["image_kind"],
            row["width"],
            row["height"],
            row["bytes"],
        )


def render_message(row: MessageRow, view: Side) -> Message:
    """The message for one side: the buyer never sees a transfer's note or giver; a recalled message has no content."""
    sender: Person | None = Person(id=row.sender_id, name=row.sender_name)
    content: dict[str, Any] = {}
    if row.kind == "transfer":
        content["transfer"] = _transfer(row, view)
        if view == "buyer":
            sender = None
    elif row.recalled_at is not None:
        content["recalled"] = True
    elif row.kind == "text":
        content["text"] = row.text
    elif row.kind == "image":
        content["image"] = _image(row)
    else:
        content["card"] = msgspec.json.decode(row.detail, type=Card)
    return Message(
        conversation=row.conversation_id,
        seq=row.seq,
        kind=row.kind,
        side=row.side,
        ts=milliseconds(row.message_at),
        sender=sender,
        cid=row.cid if row.kind in {"text", "image"} else None,
        **content,
    )


def _transfer(row: MessageRow, view: Side) -> Transfer:
    detail = msgspec.json.decode(row.detail, type=TransferDetail)
    if view == "buyer":
        return Transfer(to=detail.to)
    return Transfer(to=detail.to, source=detail.source, by=detail.by, reason=detail.reason, note=detail.note or None)


def _image(row: MessageRow) -> Image | None:
    if row.image_id is None or row.image_kind is None:
        return None
    return Image(
        id=row.image_id, kind=row.image_kind, width=row.width or 0, height=row.height or 0, bytes=row.bytes or 0
    )
