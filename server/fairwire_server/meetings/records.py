"""What the meetings' stores give back, and what has happened to a booking: the words that services here share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fairwire_protocol.models import Attendance, BookingChange, BookingState, Side

__all__ = ["BookingFact", "Change"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingFact:
    """A row of `booking`, with the names that its cards need."""

    id: UUID
    fair: UUID
    exhibitor: UUID
    buyer: UUID
    slot: UUID
    conversation: UUID
    starts_at: datetime
    ends_at: datetime
    state: BookingState
    topic: str = ""
    receiver: UUID | None = None
    receiver_name: str = ""
    reason: str | None = None
    ended_by: Side | None = None
    time_revision: int = 0
    assignment: int = 0
    sequence: int = 0
    room_number: str | None = None
    buyer_attendance: Attendance = "unknown"
    team_attendance: Attendance = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a booking, made by `by` of `side` in the transaction that tells of it (M4–M7).

    `before` is None for a new one. `Telling.tell` makes of it the card in the chat, the events on the streams of those who may
    see the booking, and what notices plan or withdraw.
    """

    kind: BookingChange
    before: BookingFact | None
    after: BookingFact
    by: UUID
    by_name: str
    side: Side
