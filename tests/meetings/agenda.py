"""Slots and bookings of a running node: what tests of meetings do again and again."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from typing import Any, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from fairwire_protocol.codec import MSGPACK
from fairwire_protocol.events import AccountEvent
from fairwire_server.database.queries import parse_queries
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.records import Change
from fairwire_server.streams.snapshot import FirstState
from tests.chat.desk import Desk
from tests.harness.fairground import Somebody

__all__ = ["DAY", "HALF_HOUR", "Agenda"]

HALF_HOUR = 30 * 60_000
DAY = 86_400_000
EventT = TypeVar("EventT")


class Agenda(Desk):
    """A desk with a calendar: instants are milliseconds, half hours are counted from tomorrow, 00:00 UTC."""

    def at(self, half_hours: int) -> int:
        """The beginning of a half hour, counted from tomorrow 00:00 UTC."""
        today = int(self.running.node.clock.now().timestamp()) // 86_400
        return (today + 1) * DAY + half_hours * HALF_HOUR

    async def slot(self, half_hours: int = 0, *, who: str = "main", minutes: int = 30) -> UUID:
        """A new slot of the account's exhibitor."""
        reply = await self.call(who, "slots.create", starts_at=self.at(half_hours), minutes=minutes)
        slot: UUID = reply.slot.id
        return slot

    async def listed(self, who: str = "main", **fields: Any) -> Any:
        """The exhibitor's slots."""
        return await self.call(who, "slots.list", **fields)

    async def open_slots(self, who: str = "buyer", exhibitor: str = "acme", **fields: Any) -> Any:
        """An exhibitor's open slots as somebody sees them."""
        return await self.call(who, "slots.open", exhibitor=self.running.ground.exhibitors[exhibitor], **fields)

    async def crowd(self, count: int) -> list[str]:
        """More complete buyers in fair one; their names."""
        running = self.running
        sql = parse_queries(files("tests.harness").joinpath("fairground.sql").read_text("utf-8"), "fairground.sql")
        fair, now = running.ground.fairs["one"], running.node.clock.now()
        names = [f"crowd{len(running.ground.cast) + number}" for number in range(count)]
        async with running.node.works.begin() as work:
            for name in names:
                id_, session = uuid7(), uuid7()
                execute = work.connection.execute
                await execute(sql["account"], id_, fair, None, "buyer", name, name, "active", now, session, "")
                await execute(sql["buyer"], id_, b"{}", True)
                running.ground.cast[name] = Somebody(name, id_, session, fair, None, "")
        return names

    async def fill(self, slot: UUID, but: int = 0) -> list[str]:
        """Book a slot by a crowd until so many seats are left; who has them."""
        free = next(one.free for one in (await self.open_slots(limit=100)).slots if one.id == slot)
        crowd = await self.crowd(free - but)
        for who in crowd:
            await self.book(who, slot)
        return crowd

    async def end(self, who: str, slot: UUID) -> None:
        """Cancel a buyer's booking in a slot, as a service does that has locked it."""
        services = self.running.node.services
        store = BookingStore()
        async with self.running.node.works.begin() as work:
            await store.lock_slots(work.connection, [slot])
            booking = await work.connection.fetchval(STATEMENTS["live"], slot, self.running.ground[who].id)
            before = (await store.lock(work.connection, [booking]))[booking]
            after = replace(before, state="cancelled", ended_by="buyer", sequence=before.sequence + 1)
            await store.save(work.connection, [after], work.now)
            change = Change(kind="cancelled", before=before, after=after, by=before.buyer, by_name=who, side="buyer")
            await services.telling.tell(work, [change])

    async def place_of(self, who: str, slot: UUID) -> Any:
        """The buyer's place in a slot's line, in its first state."""
        return next((place for place in (await self.first(who)).places if place.slot == slot), None)

    async def book(self, who: str, slot: UUID, **fields: Any) -> Any:
        """A request that succeeds."""
        return await self.call(who, "bookings.request", slot=slot, **fields)

    async def first(self, who: str) -> FirstState:
        """Somebody's first state."""
        return await self.running.node.ground.snapshots.take(await self.caller(who))

    async def heard(self, who: str, kind: type[EventT]) -> list[EventT]:
        """The stored events of a kind in somebody's stream."""
        async with self.running.node.works.begin() as work:
            rows = await work.connection.fetch(STATEMENTS["events"], self.running.ground[who].id)
        kind_of_event: Any = AccountEvent
        events = [MSGPACK.decode(row["body"], kind_of_event) for row in rows]
        return [event for event in events if isinstance(event, kind)]

    async def run(self, name: str, *args: Any) -> Any:
        """The first value of a statement of `STATEMENTS`."""
        async with self.running.node.works.begin() as work:
            return await work.connection.fetchval(STATEMENTS[name], *args)


STATEMENTS = {
    "zone": "UPDATE fair SET time_zone = $2 WHERE id = $1 RETURNING id",
    "own_zone": "UPDATE account SET time_zone = $2 WHERE id = $1 RETURNING id",
    "state": "UPDATE account SET state = $2 WHERE id = $1 RETURNING id",
    "receivers_only": """UPDATE fair SET settings = settings || '{"receivers_only": true}' WHERE id = $1 RETURNING id""",
    "overlapping": "SELECT count(*) FROM slot a JOIN slot b ON a.exhibitor_id = b.exhibitor_id AND a.id < b.id "
    "AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at WHERE a.withdrawn_at IS NULL AND b.withdrawn_at IS NULL",
    "events": "SELECT body FROM account_event WHERE account_id = $1 AND body IS NOT NULL ORDER BY pos",
    "bookings": "SELECT count(*) FROM booking WHERE state IN ('pending', 'assigned')",
    "live_in": "SELECT count(*) FROM booking WHERE state IN ('pending', 'assigned') AND slot_id = $1",
    "cards": "SELECT count(*) FROM message WHERE kind = 'booking'",
    "double_booked": "SELECT count(*) FROM booking a JOIN booking b ON a.buyer_id = b.buyer_id AND a.id < b.id "
    "AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at "
    "WHERE a.state IN ('pending', 'assigned') AND b.state IN ('pending', 'assigned')",
    "poison": "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF NEW.topic = 'poison' THEN RAISE EXCEPTION USING ERRCODE = '23P01', CONSTRAINT = 'booking_buyer_free'; END IF; "
    "RETURN NEW; END $$",
    "poisoned": "CREATE TRIGGER poisoned BEFORE INSERT ON booking FOR EACH ROW EXECUTE FUNCTION poison()",
    "live": "SELECT id FROM booking WHERE slot_id = $1 AND buyer_id = $2 AND state IN ('pending', 'assigned')",
    "end_booking": "UPDATE booking SET state = 'cancelled' WHERE id = $1 RETURNING id",
    "slots": "SELECT count(*) FROM slot",
    "withdrawn": "SELECT withdrawn_at IS NOT NULL FROM slot WHERE id = $1",
}
"""Looks and pushes behind the operations."""
