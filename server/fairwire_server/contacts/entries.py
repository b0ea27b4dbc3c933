"""Entries of the recent list: what one viewer may see of one conversation (K1, K2, C9).

`EntryRow` is the neutral row that `entry_rows` in the database gives; `entry` decides, purely, what the viewer sees of it. The
snapshot, the lists, search and events all pass here, so that state and events agree (W5).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from fairwire_protocol.models import (
    BuyerCard,
    BuyerDetails,
    Contact,
    Entry,
    ExhibitorCard,
    Marker,
    Person,
    Side,
)
from fairwire_server.clock import milliseconds
from fairwire_server.streams.messages import MessageRow, render_message

__all__ = ["BuyerRow", "EntryRow", "decode_entry", "entry"]


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


class ExhibitorRow(msgspec.Struct, frozen=True, array_like=True):
    """An exhibitor as buyers see it."""

    id: UUID
    name_zh: str
    name_en: str
    vip: bool
    brand: bool
    domicile: Literal["domestic", "overseas"]
    answer_seconds: int | None
    sections: tuple[str, ...]


class MarkerRow(msgspec.Struct, frozen=True, array_like=True):
    """Another participant's receipts."""

    account: UUID
    side: Side
    received: int
    read: int


class EntryRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What `entry_rows` gives."""

    conversation: UUID
    last_seq: int
    open: bool
    waiting_since: datetime | None
    blocked_by_buyer: bool
    blocked_by_team: bool
    holder_id: UUID
    holder_name: str
    participates: bool
    at: int
    read: int
    received: int
    readable_to: int | None
    pinned_at: datetime | None
    starred: bool
    last: MessageRow | None
    markers: tuple[MarkerRow, ...]
    exhibitor: ExhibitorRow | None
    buyer: BuyerRow | None


def decode_entry(data: str | bytes, viewer: UUID) -> Entry:
    """One row of `entry_rows` as the viewer's entry."""
    return entry(msgspec.json.decode(data, type=EntryRow), viewer)


def entry(row: EntryRow, viewer: UUID) -> Entry:
    """The viewer's entry. A former holder's is frozen at the transfer (C9); a buyer sees the team as one (W9)."""
    view: Side = "team" if row.buyer is not None else "buyer"
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
        last=None if row.last is None else render_message(row.last, view),
        markers=() if former else _markers(row.markers, view),
        open=row.open and not former,
        waiting_since=_ms(row.waiting_since) if view == "team" and not former else None,
        pinned_at=_ms(row.pinned_at),
        starred=row.starred,
        blocked_by_buyer=row.blocked_by_buyer and not former,
        blocked_by_team=row.blocked_by_team and not former,
    )


def _contact(row: EntryRow) -> Contact:
    if row.buyer is not None:
        return row.buyer.card()
    assert row.exhibitor is not None
    return ExhibitorCard(**msgspec.structs.asdict(row.exhibitor))


def _markers(rows: Sequence[MarkerRow], view: Side) -> tuple[Marker, ...]:
    if view == "team":
        ordered = sorted(rows, key=lambda marker: str(marker.account))
        return tuple(
            Marker(account=marker.account, side=marker.side, received=marker.received, read=marker.read)
            for marker in ordered
        )
    team = [marker for marker in rows if marker.side == "team"]
    if not team:
        return ()
    return (
        Marker(
            account=None,
            side="team",
            received=max(marker.received for marker in team),
            read=max(marker.read for marker in team),
        ),
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else milliseconds(at)
