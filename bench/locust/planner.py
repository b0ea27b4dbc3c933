"""What buyers and exhibitors' people have in common about meetings: they are told of bookings and reminders, and read their list."""

from __future__ import annotations

import time
from typing import Final, TypeVar
from uuid import UUID

from bench.locust.shapes import BOOKED, REMINDED
from bench.locust.writing import Writer
from fairwire_protocol.errors import CODES
from fairwire_protocol.events import BookingChanged, Notice
from fairwire_protocol.models import Booking
from fairwire_protocol.operations import Operation, Request
from fairwire_protocol.operations.bookings import LIST, BookingReply, ListBookings
from fairwire_protocol.session import Body, Resync

__all__ = ["AHEAD_MS", "CHANGED_MEANWHILE", "Planner"]

RequestT = TypeVar("RequestT", bound=Request)
PAGE: Final = 100
SOON_MS: Final = 900_000
AHEAD_MS: Final = 120_000
"""Nobody decides about a meeting that begins in less."""
CHANGED_MEANWHILE: Final = ("wrong_state", "conflict", "not_found", "slot_over", "slot_full", "blocked", "no_proposal")
"""What happens when both sides do something with one booking at once."""


class Planner(Writer):
    """Somebody with meetings. `page` is what this device was told of them."""

    abstract = True

    def entered(self) -> None:
        """An exhibitor's main and managers see all its bookings, everybody else their own (A7)."""
        actor = self.actor
        self._sees_all = actor.kind in {"main", "manager"}
        self.page = self.station.diary.page(
            self.device, actor.id, actor.exhibitor, "all" if self._sees_all else "own"
        )  # fmt: skip

    def began(self, state: Resync) -> None:
        """The first state has every booking that has not ended."""
        self.page.resync(booking for part in state.parts for booking in part.bookings)

    def told(self, body: Body, arrived: int, *, live: bool) -> None:
        """A booking has changed, or T−15 has come."""
        match body:
            case BookingChanged(booking=booking):
                self._booking(booking, arrived, live=live)
            case Notice(kind="reminder_soon", booking=UUID() as id_, starts_at=int() as starts_at):
                due = starts_at - SOON_MS
                if self.page.reminded(id_, due) and live:
                    self.station.note("reminder", REMINDED, max(0.0, arrived / 1e6 - self.station.commit(due)))
            case _:
                pass

    def _booking(self, booking: Booking, arrived: int, *, live: bool) -> None:
        station = self.station
        if station.planted_booking():
            return
        if self.page.told(booking) and live:
            key = f"{booking.id.hex}{booking.changed_at}"
            ms = station.fanout.deliver("booking", key, station.commit(booking.changed_at), arrived)
            station.note("fan-out", BOOKED, ms)
        self.considered(booking)

    def considered(self, booking: Booking) -> None:
        """Whether there is something to do about it."""

    def decide(self, operation: Operation[RequestT, BookingReply], request: RequestT, *more: str) -> Booking | None:
        """Change a booking; once acknowledged, the server is held to it. `more` codes are no errors either."""
        reply = self.call(operation, request, may_fail=(*CHANGED_MEANWHILE, *more))
        if reply is None:
            return None
        self.station.diary.changed(reply.booking)
        return reply.booking

    def counted(self) -> None:
        """A request for a meeting that was not acknowledged: refused, or nobody knows."""
        counts = self.station.diary.counts
        if self.refusal and CODES[self.refusal].final:
            counts.refused += 1
        else:
            counts.unknown += 1

    def look_back(self) -> None:
        """The whole list: a buyer's own, and of each exhibitor's people one who sees all."""
        owner = self.actor.exhibitor if self.role == "team" else self.actor.id
        if owner is None or (self.role == "team" and not self._sees_all) or not self.live.is_set():
            return
        if not self.station.diary.takes(owner):
            return
        capacity = self.capacity()
        bookings: list[Booking] = []
        after: str | None = None
        while (found := self.call(LIST, ListBookings(after=after, limit=PAGE))) is not None:
            bookings += (listed.booking for listed in found.bookings)
            after = found.next
            if after is None:
                self.station.diary.listed(owner, bookings, int(time.time() * 1000), capacity)
                break

    def capacity(self) -> int | None:
        """How many meetings of the exhibitor may be in one slot; None for those who are not told."""
        return None
