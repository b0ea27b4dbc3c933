"""Entries of the recent list: what one viewer may see of one conversation (K1, K2, C9).

`EntryRow` is the neutral row that `contact_entry` in the database gives; `entry` decides, purely, what the viewer sees of it. The
snapshot, the lists, search and events all pass here, so that state and events agree (W5).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from fairwire_protocol.models import (
    BuyerCard,
    BuyerDetails,
    Contact,
    Entry,
    ExhibitorCard,
    Marker,
    MessageKind,
    Person,
    Side,
)
from fairwire_server.clock import milliseconds
from fairwire_server.streams.messages import MessageRow, render_message

__all__ = ["BuyerRow", "EntryRow", "entry_of", "message_of"]

_PROFILE = msgspec.json.Decoder(dict[str, str])


class BuyerDetailsRow(msgspec.Struct, frozen=True, array_like=True):
    """A buyer's basic data; only there when the buyer is in the base."""

    email: str | None
    mobile: str | None
    role: Literal["buyer", "representative"]
    company: str | None
    profile: dict[str, str]


class BuyerRow(msgspec.Struct, frozen=True, array_like=True):
    """A buyer as the exhibitor's side sees it."""

    id: UUID
    name: str
    country: str | None
    interests: tuple[str, ...]
    avatar: str | None
    in_base: bool
    details: BuyerDetailsRow | None = None

    def card(self) -> BuyerCard:
        """K2: the basic data is there only once the buyer is in the base."""
        details = self.details if self.in_base else None
        return BuyerCard(
            id=self.id,
            name=self.name,
            country=self.country,
            interests=self.interests,
            avatar=self.avatar,
            in_base=self.in_base,
            details=None if details is None else BuyerDetails(**msgspec.structs.asdict(details)),
        )


class EntryRow(msgspec.Struct, frozen=True):
    """What `contact_entry` gives, in its order: the chat, its last message, the contact as the viewer's side knows it."""

    conversation: UUID
    last_seq: int
    open: bool
    waiting_since: datetime | None
    blocked_by_buyer: bool
    blocked_by_team: bool
    holder_id: UUID
    holder_name: str
    at: int
    read: int
    received: int
    readable_to: int | None
    pinned_at: datetime | None
    starred: bool
    message_seq: int | None
    message_kind: MessageKind
    message_side: Side
    sender_id: UUID
    sender_name: str
    message_text: str | None
    detail: str | None
    message_at: datetime
    recalled_at: datetime | None
    cid: UUID
    image_id: UUID | None
    image_kind: Literal["png", "jpeg", "webp", "gif"] | None
    width: int | None
    height: int | None
    bytes: int | None
    markers: Sequence[str] | None
    """The other participants that have received something: "account received read"."""
    exhibitor_id: UUID | None
    name_zh: str
    name_en: str
    vip: bool
    brand: bool
    domicile: Literal["domestic", "overseas"]
    sections: Sequence[str] | None
    buyer_id: UUID | None
    buyer_name: str
    country: str | None
    interests: Sequence[str]
    avatar: str | None
    in_base: bool
    email: str | None
    mobile: str | None
    role: Literal["buyer", "representative"]
    company: str | None
    profile: str | None


SEQ: Final = EntryRow.__struct_fields__.index("message_seq")
MARKERS: Final = EntryRow.__struct_fields__.index("markers")
"""From the one to the other a row holds its last message, in the order of `MessageRow`."""


def entry_of(values: Sequence[Any], viewer: UUID) -> Entry:
    """One row of `contact_entry` as the viewer's entry."""
    return _entry(EntryRow(*values), None if values[SEQ] is None else message_of(values), viewer)


def message_of(values: Sequence[Any]) -> MessageRow:
    """The last message of a row of `contact_entry`, if it has one."""
    return MessageRow(values[0], *values[SEQ:MARKERS])


def _entry(row: EntryRow, last: MessageRow | None, viewer: UUID) -> Entry:
    """The viewer's entry. A former holder's is frozen at the transfer (C9); a buyer sees the team as one (W9)."""
    view: Side = "buyer" if row.buyer_id is None else "team"
    former = row.readable_to is not None
    return Entry(
        conversation=row.conversation,
        contact=_contact(row),
        at=row.at,
        last_seq=row.last_seq if row.readable_to is None else row.readable_to,
        read=row.read,
        received=row.received,
        holds=row.holder_id == viewer,
        readable_to=row.readable_to,
        holder=None if former else Person(id=row.holder_id, name=row.holder_name),
        last=None if last is None else render_message(last, view),
        markers=() if former or not row.markers else _markers(row.markers, row.buyer_id),
        open=row.open and not former,
        waiting_since=_ms(row.waiting_since) if view == "team" and not former else None,
        pinned_at=_ms(row.pinned_at),
        starred=row.starred,
        blocked_by_buyer=row.blocked_by_buyer and not former,
        blocked_by_team=row.blocked_by_team and not former,
    )


def _contact(row: EntryRow) -> Contact:
    if row.buyer_id is None:
        assert row.exhibitor_id is not None
        return ExhibitorCard(  # C5: the time to answer moves by itself; exhibitors.show tells it
            id=row.exhibitor_id,
            name_zh=row.name_zh,
            name_en=row.name_en,
            vip=row.vip,
            brand=row.brand,
            domicile=row.domicile,
            sections=tuple(row.sections or ()),
        )
    details = None
    if row.in_base:
        profile = _PROFILE.decode(row.profile or "{}")
        details = BuyerDetails(email=row.email, mobile=row.mobile, role=row.role, company=row.company, profile=profile)
    return BuyerCard(
        id=row.buyer_id,
        name=row.buyer_name,
        country=row.country,
        interests=tuple(row.interests),
        avatar=row.avatar,
        in_base=row.in_base,
        details=details,
    )


def _markers(rows: Sequence[str], buyer: UUID | None) -> tuple[Marker, ...]:
    """Others' receipts: a colleague sees each, the buyer (None) the team's maximum (W9)."""
    if buyer is None and len(rows) == 1:  # nearly always
        _, has, knows = rows[0].split(" ")
        return (Marker(account=None, side="team", received=int(has), read=int(knows)),)
    if buyer is None:
        told = [row.split(" ") for row in rows]
        received, read = max(int(row[1]) for row in told), max(int(row[2]) for row in told)
        return (Marker(account=None, side="team", received=received, read=read),)
    contact = str(buyer)
    return tuple(_marker(row, contact, buyer) for row in sorted(rows))


def _marker(row: str, contact: str, buyer: UUID) -> Marker:
    account, received, read = row.split(" ")
    if account == contact:
        return Marker(account=buyer, side="buyer", received=int(received), read=int(read))
    return Marker(account=UUID(account), side="team", received=int(received), read=int(read))


def _ms(at: datetime | None) -> int | None:
    return None if at is None else milliseconds(at)
