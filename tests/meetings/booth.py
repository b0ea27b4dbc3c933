"""An exhibitor's booth on a test's node: slots and bookings put there directly, and what became of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from fairwire_protocol.models import Booking
from fairwire_server.database.pool import Row
from fairwire_server.database.queries import parse_queries
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.streams.snapshot import FirstState
from tests.chat.desk import Desk
from tests.harness.fairground import Somebody
from tests.harness.node import Running

__all__ = ["Booth"]


class Booth:
    """Names are those of `tests.harness.fairground`."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.desk = Desk(running)
        self.store = BookingStore()
        self.sql = parse_queries(files("tests.meetings").joinpath("booth.sql").read_text("utf-8"), "booth.sql")

    @property
    def now(self) -> datetime:
        """The node's present instant."""
        return self.running.node.clock.now()

    async def slot(self, hours: float = 48, exhibitor: str = "acme", minutes: int = 30) -> UUID:
        """A slot that begins so many hours from now."""
        slot, starts_at = uuid7(), self.now + timedelta(hours=hours)
        exhibitor_id = self.running.ground.exhibitors[exhibitor]
        ends_at = starts_at + timedelta(minutes=minutes)
        async with self.running.node.works.begin() as work:
            await work.connection.execute(self.sql["slot"], slot, exhibitor_id, starts_at, ends_at, self.now)
        return slot

    async def booking(self, slot: UUID, buyer: str = "buyer", topic: str = "", exhibitor: str = "acme") -> UUID:
        """A pending booking, told as a request tells it."""
        booking, who = uuid7(), self.running.ground[buyer]
        async with self.running.node.works.begin() as work:
            execute = work.connection.execute
            exhibitor_id = self.running.ground.exhibitors[exhibitor]
            await execute(self.sql["conversation"], uuid7(), exhibitor_id, who.id, work.now)
            await execute(self.sql["booking"], booking, slot, who.id, topic, work.now)
            after = (await self.store.lock(work.connection, [booking]))[booking]
            change = Change(kind="requested", before=None, after=after, by=who.id, by_name=who.name, side="buyer")
            await self.running.node.services.telling.tell(work, [change])
        return booking

    async def add_buyer(self, name: str) -> None:
        """One more buyer in the cast, with a complete profile."""
        node, ground = self.running.node, self.running.ground
        sql = parse_queries(files("tests.harness").joinpath("fairground.sql").read_text("utf-8"), "fairground.sql")
        id_, session, fair = uuid7(), uuid7(), ground.fairs["one"]
        async with node.works.begin() as work:
            facts = (id_, fair, None, "buyer", name, name.title(), "active", work.now, session, "")
            await work.connection.execute(sql["account"], *facts)
            await work.connection.execute(sql["buyer"], id_, b'{"full_name": "Extra"}', True)
        ground.cast[name] = Somebody(name, id_, session, fair, None, "")

    async def section(self, name: str) -> UUID:
        """A section of the first fair."""
        section = uuid7()
        async with self.running.node.works.begin() as work:
            await work.connection.execute(self.sql["section"], section, self.running.ground.fairs["one"], name)
        return section

    async def fact(self, booking: UUID) -> BookingFact:
        """The booking's row, as services see it."""
        async with self.running.node.works.begin() as work:
            return (await self.store.lock(work.connection, [booking]))[booking]

    async def row(self, query: str, *args: Any) -> Row:
        """The first row of a query of booth.sql."""
        rows = await self.rows(query, *args)
        return rows[0]

    async def rows(self, query: str, *args: Any) -> list[Row]:
        """The rows of a query of booth.sql."""
        async with self.running.node.works.read() as work:
            found: list[Row] = await work.connection.fetch(self.sql[query], *args)
            return found

    async def first(self, who: str) -> FirstState:
        """Somebody's first state."""
        return await self.running.node.ground.snapshots.take(await self.desk.caller(who))

    async def kept(self, who: str) -> dict[UUID, Booking]:
        """The bookings in somebody's first state."""
        return {booking.id: booking for booking in (await self.first(who)).bookings}
