"""Decisions about requests for a slot, on rows that the caller has locked (M2, M4, M13). Pure."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_server.meetings.slot_rules import Seats

__all__ = ["TOPIC_MAX", "Calendar", "Stand", "check_bookable", "topic_of"]

TOPIC_MAX: Final = 100


def topic_of(text: str) -> str:
    """M4: one line of at most 100 characters, which may be empty; NFC."""
    topic = " ".join(unicodedata.normalize("NFC", text).split())
    if len(topic) > TOPIC_MAX:
        raise Refused("too_long", f"At most {TOPIC_MAX} characters.", field="topic", detail={"limit": TOPIC_MAX})
    if not topic.isprintable() and any(unicodedata.category(char) in {"Cc", "Cs"} for char in topic):
        raise Refused("invalid", "The topic holds a character that is none.", field="topic")
    return topic


@dataclass(slots=True)
class Stand:
    """A locked slot while a batch is decided on it: how many fit in, what is taken, who holds a place in its line.

    Mutable: each booking that is granted takes its seat from those who come after it in the batch.
    """

    capacity: int
    seats: Seats
    offered_to: set[UUID] = field(default_factory=set)
    waits: set[UUID] = field(default_factory=set)

    def has_seat_for(self, buyer: UUID) -> bool:
        """Whether a seat is free for this buyer: one that is held for it, or one that nobody in line waits for (M13)."""
        if buyer in self.offered_to:
            return True
        seats = self.seats
        if buyer in self.waits:
            seats = replace(seats, waiting=seats.waiting - 1)
        return seats.free(self.capacity) > 0

    def take(self, buyer: UUID) -> None:
        """The buyer has a pending booking here from now on, and no place in line any more."""
        offered, waiting = self.seats.offered, self.seats.waiting
        if buyer in self.offered_to:
            self.offered_to.discard(buyer)
            offered -= 1
        elif buyer in self.waits:
            self.waits.discard(buyer)
            waiting -= 1
        self.seats = replace(self.seats, pending=self.seats.pending + 1, offered=offered, waiting=waiting)


class Calendar:
    """When buyers are in meetings: their pending and assigned ones (M4)."""

    def __init__(self) -> None:
        self._busy: dict[UUID, list[tuple[datetime, datetime]]] = defaultdict(list)

    def add(self, buyer: UUID, starts_at: datetime, ends_at: datetime) -> None:
        """One more meeting."""
        self._busy[buyer].append((starts_at, ends_at))

    def is_busy(self, buyer: UUID, starts_at: datetime, ends_at: datetime) -> bool:
        """Whether the buyer has a meeting that overlaps."""
        return any(start < ends_at and starts_at < end for start, end in self._busy.get(buyer, ()))


def check_bookable(starts_at: datetime, now: datetime, *, withdrawn: bool) -> None:
    """M4: open and in the future; raises why not."""
    if withdrawn or starts_at <= now:
        raise Refused("slot_over")
