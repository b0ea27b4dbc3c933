"""A booking's row as everybody who may see it sees it: pure, and the only place where that is decided (M5, K2, W5).

The same row feeds events, the first state, lists and replies, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from fairwire_protocol.models import (
    Attendance,
    Booking,
    BookingState,
    Card,
    Company,
    Person,
    Place,
    Proposal,
    Side,
    Visitor,
)
from fairwire_server.clock import milliseconds

__all__ = ["BookingRow", "booking_of", "place_of", "shown_booking"]


class BookingRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of `booking_full`, in the view's order."""

    id: UUID
    slot: UUID
    conversation: UUID
    exhibitor: UUID
    name_zh: str
    name_en: str
    buyer: UUID
    buyer_name: str
    country: str | None
    interests: Sequence[str]
    avatar: str | None
    state: BookingState
    starts_at: datetime
    ends_at: datetime
    topic: str
    card: str | None
    receiver: UUID | None
    receiver_name: str | None
    reason: str | None
    ended_by: Side | None
    proposal: UUID | None
    """Without one the next eight are nothing either."""
    proposal_slot: UUID | None
    proposal_starts_at: datetime | None
    proposal_ends_at: datetime | None
    proposal_side: Side | None
    proposal_by: UUID | None
    proposal_by_name: str | None
    proposal_note: str | None
    proposal_expires_at: datetime | None
    room_number: str | None
    time_revision: int
    assignment: int
    buyer_attendance: Attendance
    team_attendance: Attendance
    requested_at: datetime
    changed_at: datetime


def booking_of(values: Iterable[Any]) -> Booking:
    """The booking that a row of `booking_full` is."""
    return shown_booking(BookingRow(*values))


def shown_booking(row: BookingRow) -> Booking:
    """As everybody sees it who may."""
    return Booking(
        id=row.id,
        slot=row.slot,
        conversation=row.conversation,
        exhibitor=Company(id=row.exhibitor, name_zh=row.name_zh, name_en=row.name_en),
        buyer=Visitor(
            id=row.buyer, name=row.buyer_name, country=row.country, interests=tuple(row.interests), avatar=row.avatar
        ),
        state=row.state,
        starts_at=milliseconds(row.starts_at),
        ends_at=milliseconds(row.ends_at),
        topic=row.topic,
        card=None if row.card is None else msgspec.json.decode(row.card, type=Card),
        receiver=None if row.receiver is None else Person(id=row.receiver, name=row.receiver_name or ""),
        reason=row.reason,
        ended_by=row.ended_by,
        proposal=_proposal(row),
        room_number=row.room_number,
        time_revision=row.time_revision,
        assignment=row.assignment,
        buyer_attendance=row.buyer_attendance,
        team_attendance=row.team_attendance,
        requested_at=milliseconds(row.requested_at),
        changed_at=milliseconds(row.changed_at),
    )


def _proposal(row: BookingRow) -> Proposal | None:
    if row.proposal is None:
        return None
    assert row.proposal_slot is not None
    assert row.proposal_starts_at is not None
    assert row.proposal_ends_at is not None
    assert row.proposal_side is not None
    assert row.proposal_by is not None
    assert row.proposal_by_name is not None
    assert row.proposal_expires_at is not None
    return Proposal(
        id=row.proposal,
        slot=row.proposal_slot,
        starts_at=milliseconds(row.proposal_starts_at),
        ends_at=milliseconds(row.proposal_ends_at),
        side=row.proposal_side,
        by=Person(id=row.proposal_by, name=row.proposal_by_name),
        note=row.proposal_note or None,
        expires_at=milliseconds(row.proposal_expires_at),
    )


def place_of(values: Iterable[Any]) -> Place:
    """A place in a waiting list (M13): its id and slot, the exhibitor with its names, the slot's times, topic, end of the offer."""
    id_, slot, exhibitor, name_zh, name_en, starts_at, ends_at, topic, expires_at = values
    return Place(
        id=id_,
        slot=slot,
        exhibitor=Company(id=exhibitor, name_zh=name_zh, name_en=name_en),
        starts_at=milliseconds(starts_at),
        ends_at=milliseconds(ends_at),
        topic=topic,
        expires_at=None if expires_at is None else milliseconds(expires_at),
    )
