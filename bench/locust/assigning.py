"""Meetings on the exhibitor's side: main and managers plan slots, assign and reject what is requested, and propose other times (A7)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from bench.locust.agenda import Act
from bench.locust.planner import AHEAD_MS, Planner
from fairwire_protocol.operations import slots
from fairwire_protocol.operations.bookings import (
    ASSIGN,
    CANCEL,
    LIST,
    PROPOSE,
    RECEIVERS,
    REJECT,
    AssignBooking,
    BookingRef,
    EndBooking,
    ListBookings,
    ProposeTime,
)

__all__ = ["Assigner"]

DAYS: Final = 3
HOURS: Final = ("09:00", "18:00")
SEEN: Final = 50


class Assigner(Planner):
    """An exhibitor's person, as far as meetings go. Business accounts only receive them."""

    abstract = True

    def planning(self) -> dict[str, Act]:
        """By habit; nothing for those who may not (A7)."""
        if not self._sees_all:
            return {}
        return {
            "team.slots": self.plan_slots,
            "team.assign": self.assign,
            "team.reassign": self.reassign,
            "team.reject": self.reject,
            "team.propose": self.propose,
            "team.cancel": self.cancel,
        }

    def plan_slots(self) -> None:
        """Some days of half-hours, where none are ahead (M1)."""
        found = self.call(slots.LIST, slots.ListSlots(state="not_started", limit=1))
        if found is None or found.slots:
            return
        today = datetime.now(UTC).date()
        first, last = (str(today + timedelta(days=days)) for days in (0, DAYS))
        start, end = HOURS
        self.call(slots.CREATE_BATCH, slots.CreateSlots(first=first, last=last, start=start, end=end))

    def assign(self) -> None:
        """The request that waits longest, to somebody who is free (M6)."""
        found = self.call(LIST, ListBookings(state="pending", limit=SEEN))
        waiting = [one.booking for one in found.bookings if not one.no_receiver_free] if found is not None else []
        if waiting:
            self._give(waiting[-1].id)

    def reassign(self) -> None:
        """One that somebody has already, to somebody else."""
        if (booking := self._one("assigned")) is not None:
            self._give(booking)

    def reject(self) -> None:
        """A request, with a reason (M7)."""
        if (booking := self._one("pending")) is not None:
            self.decide(REJECT, EndBooking(booking=booking, reason="该时段我们已有安排，请另选时间"))

    def cancel(self) -> None:
        """A meeting that somebody has already."""
        if (booking := self._one("assigned")) is not None:
            self.decide(CANCEL, EndBooking(booking=booking, reason="Our colleague has fallen ill, we are sorry."))

    def propose(self) -> None:
        """Another time, in a slot that still has a seat (M7)."""
        booking = self._one("assigned")
        found = self.call(slots.LIST, slots.ListSlots(state="not_started", limit=SEEN)) if booking is not None else None
        free = [slot.id for slot in found.slots if slot.taken < found.capacity] if found is not None else []
        if booking is not None and free:
            request = ProposeTime(booking=booking, slot=self.chance.choice(free), note="能否改到这个时间？")
            self.decide(PROPOSE, request, "buyer_busy", "receiver_busy", "invalid")

    def capacity(self) -> int | None:
        """As the list of slots says (M2)."""
        found = self.call(slots.LIST, slots.ListSlots(limit=1))
        return None if found is None else found.capacity

    def _give(self, booking: UUID) -> None:
        found = self.call(RECEIVERS, BookingRef(booking=booking), may_fail=("not_found", "wrong_state"))
        free = [one for one in found.receivers if one.free and not one.current] if found is not None else []
        if free:
            receiver = self.chance.choice(free)
            request = AssignBooking(
                booking=booking, receiver=receiver.account.id, confirm_unreachable=receiver.unreachable
            )  # fmt: skip
            self.decide(ASSIGN, request, "receiver_busy", "bad_receiver")

    def _one(self, state: str) -> UUID | None:
        """Any booking in that state whose meeting is not about to begin."""
        ahead = time.time() * 1000 + AHEAD_MS
        found = [one.id for one in self.page.live() if one.state == state and one.starts_at > ahead]
        return self.chance.choice(found) if found else None
