"""Buyers' meetings: they look at an exhibitor's open slots, request one, stand in line for a full one, answer, and cancel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from bench.locust.diary import Standing
from bench.locust.planner import AHEAD_MS, Planner
from bench.locust.texts import text
from fairwire_protocol.events import PlaceChanged
from fairwire_protocol.models import Booking, Place, Proposal
from fairwire_protocol.operations.bookings import ANSWER_PROPOSAL, CANCEL, AnswerProposal, EndBooking
from fairwire_protocol.operations.slots import (
    ANSWER_PLACE,
    OPEN,
    REQUEST,
    WAIT,
    AnswerPlace,
    OpenSlot,
    OpenSlots,
    RequestBooking,
    WaitForSlot,
)
from fairwire_protocol.session import Body

__all__ = ["INCOMPLETE", "Booker"]

INCOMPLETE: Final = "profile_incomplete"
RACES: Final = ("slot_full", "slot_over", "buyer_busy", "not_found", "blocked", INCOMPLETE)
LINES: Final = ("slot_not_full", "conflict", "place_limit")
TOPIC: Final = 40
SHOWN: Final = 100


class Booker(Planner):
    """A buyer, as far as meetings go."""

    abstract = True

    def entered(self) -> None:
        """Whether it may book is found out by trying (A3)."""
        self._visits = False
        super().entered()

    def told(self, body: Body, arrived: int, *, live: bool) -> None:
        """A seat may be held for it (M13)."""
        match body:
            case PlaceChanged(place=Place(expires_at=int()) as place, outcome=None):
                self.later("buyer.answer", lambda: self._seat(place))
            case _:
                super().told(body, arrived, live=live)

    def considered(self, booking: Booking) -> None:
        """The exhibitor proposes another time (M7)."""
        proposal = booking.proposal
        if proposal is not None and proposal.side == "team":
            self.later("buyer.answer", lambda: self._answer(proposal))

    def book(self) -> None:
        """In an exhibitor's open slots, rather an early one, at a time that is free so far."""
        mine = self.page.live()
        if self._visits or len(mine) >= self.station.habits.value("buyer.meetings"):
            return
        exhibitor = self.chance.choice(self.station.cast.staffed)
        found = self.call(OPEN, OpenSlots(exhibitor=exhibitor, limit=SHOWN))
        fitting = [slot for slot in found.slots if _fits(slot, mine)] if found is not None else []
        if not fitting:
            return
        slot = fitting[int(len(fitting) * self.chance.random() ** 2)]
        topic = text(self.station.habits, self.chance)[:TOPIC]
        if slot.free:
            self._request(slot.id, exhibitor, topic)
        elif self.station.habits.happens("buyer.waits", self.chance):
            self.call(WAIT, WaitForSlot(slot=slot.id, topic=topic), may_fail=(*RACES, *LINES))

    def cancel(self) -> None:
        """One of the own meetings that are still ahead."""
        ahead = time.time() * 1000 + AHEAD_MS
        mine = [standing for standing in self.page.live() if standing.starts_at > ahead]
        if mine:
            self.decide(CANCEL, EndBooking(booking=self.chance.choice(mine).id, reason="行程有变，抱歉"))

    def _request(self, slot: UUID, exhibitor: UUID, topic: str) -> None:
        diary = self.station.diary
        diary.counts.attempted += 1
        requested = self.call(REQUEST, RequestBooking(slot=slot, topic=topic), may_fail=RACES)
        if requested is not None:
            diary.acked(requested.booking, self.actor.id, exhibitor)
        else:
            self._visits = self.refusal == INCOMPLETE
            self.counted()

    def _seat(self, place: Place) -> None:
        accept = self.station.habits.happens("buyer.accepts", self.chance)
        answered = self.call(ANSWER_PLACE, AnswerPlace(place=place.id, accept=accept), may_fail=("no_place", *RACES))
        if answered is not None and answered.booking is not None:
            diary = self.station.diary
            diary.counts.attempted += 1
            diary.acked(answered.booking, self.actor.id, place.exhibitor.id)

    def _answer(self, proposal: Proposal) -> None:
        accept = self.station.habits.happens("buyer.accepts", self.chance)
        self.decide(ANSWER_PROPOSAL, AnswerProposal(proposal=proposal.id, accept=accept), "buyer_busy")


def _fits(slot: OpenSlot, mine: Sequence[Standing]) -> bool:
    return all(slot.ends_at <= one.starts_at or one.ends_at <= slot.starts_at for one in mine)
