"""People of the crew who book while things break: what was acknowledged to them is compared with what there is at the end.

Both buyers ask for slots of one exhibitor, whose main account assigns what they got; some of it the buyer cancels again. A call
without an answer in time is unknown and may have happened or not; what is not an outcome (`busy`, no connection) is tried again by
the client itself, which sends the same `cid`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import fairwire
from fairwire_protocol.models import BookingState
from tests.faults.crew import PATIENCE_S, Crew

__all__ = ["Diary"]

HALF_HOUR_MS: Final = 30 * 60_000
FIRST_MS: Final = 48 * 2 * HALF_HOUR_MS
"""Meetings begin that far ahead, so that no reminder falls due."""


@dataclass(slots=True)
class Diary:
    """Who books what. `acked` has the last state that was acknowledged of each booking, `open` the calls that were never answered."""

    crew: Crew
    base: int
    acked: dict[UUID, BookingState] = field(default_factory=dict)
    unknown: set[UUID] = field(default_factory=set)
    lost_requests: int = 0
    made: asyncio.Condition = field(default_factory=asyncio.Condition)

    def _client(self, account: str) -> fairwire.Client:
        return self.crew.devices[account, "a"].client

    async def book(self, buyer: str, numbers: itertools.count[int]) -> None:
        """One booking after the other, until cancelled."""
        team = self._client("main")
        while True:
            number = next(numbers)
            start = self.base + FIRST_MS + number * HALF_HOUR_MS
            with suppress(fairwire.Pending):
                slot = (await team.slots.create(starts_at=start, timeout=PATIENCE_S)).slot.id
                await self._one(buyer, slot, cancelled=number % 3 == 0)

    async def _one(self, buyer: str, slot: UUID, *, cancelled: bool) -> None:
        try:
            requested = await self._client(buyer).bookings.request(slot=slot, topic="a trial order", timeout=PATIENCE_S)
        except fairwire.Pending:
            self.lost_requests += 1
            raise
        booking = requested.booking
        self.acked[booking] = "pending"
        self.unknown.add(booking)
        sales = self.crew.ground["sales"].id
        reply = await self._client("main").bookings.assign(
            booking=booking, receiver=sales, confirm_unreachable=True, timeout=PATIENCE_S
        )
        self.acked[booking] = reply.booking.state
        if cancelled:
            reply = await self._client(buyer).bookings.cancel(booking=booking, reason="no time", timeout=PATIENCE_S)
            self.acked[booking] = reply.booking.state
        self.unknown.discard(booking)
        async with self.made:
            self.made.notify_all()

    async def more(self, count: int) -> None:
        """Wait until so many more bookings went all their way."""
        goal = self._finished + count
        async with asyncio.timeout(PATIENCE_S), self.made:
            await self.made.wait_for(lambda: self._finished >= goal)

    @property
    def _finished(self) -> int:
        return len(self.acked) - len(self.unknown)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Two buyers book while the body runs."""
        numbers = itertools.count()
        tasks = [asyncio.create_task(self.book(buyer, numbers)) for buyer in ("buyer", "buyer2")]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    async def assert_true(self) -> None:
        """What was acknowledged last is what there is; of what was not answered, or was cut off at the end, the next step may be there."""
        for booking, state in self.acked.items():
            shown = (await self._client("main").bookings.show(booking=booking, timeout=PATIENCE_S)).booking
            allowed = {state}
            if booking in self.unknown:
                allowed |= {"assigned", "cancelled"} if state == "assigned" else {"pending", "assigned"}
            assert shown.state in allowed, (booking, shown.state, allowed)
