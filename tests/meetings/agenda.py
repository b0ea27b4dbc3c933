"""Slots and bookings of a running node: what tests of meetings do again and again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.chat.desk import Desk

__all__ = ["DAY", "HALF_HOUR", "Agenda"]

HALF_HOUR = 30 * 60_000
DAY = 86_400_000


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
    "slots": "SELECT count(*) FROM slot",
    "withdrawn": "SELECT withdrawn_at IS NOT NULL FROM slot WHERE id = $1",
}
"""Looks and pushes behind the operations."""
