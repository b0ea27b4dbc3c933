"""What the meetings' stores give back, and what has happened to a booking: the words that services here share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fairwire_protocol.models import BookingChange, Side
from fairwire_server.meetings.rules import BookingFact

__all__ = ["BookingFact", "Change", "OfferedPlace"]


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


@dataclass(frozen=True, slots=True)
class OfferedPlace:
    """A place in a waiting list that a seat is held for until then (M13)."""

    place: UUID
    buyer: UUID
    fair: UUID
    expires_at: datetime
