"""Slots of the demo fair: the first exhibitors have morning and afternoon hours from tomorrow on, for whoever wants to book (M1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from fairwire_server.database.work import Works
from fairwire_server.importing.store import ImportStore
from fairwire_server.meetings.slot_rules import cut
from fairwire_server.meetings.slot_store import SlotStore

__all__ = ["DAYS", "EXHIBITORS", "plan_slots"]

EXHIBITORS: Final = 200
"""With slots; a fair made to measure with plans its own."""
DAYS: Final = 5
HOURS: Final = (("09:30", "12:00"), ("14:00", "17:00"))
MINUTES: Final = 30


async def plan_slots(works: Works, fair: str) -> int:
    """Half-hours for the next days; what is there already stays as it is. Answers how many were made."""
    made = 0
    store = SlotStore()
    async with works.begin() as work:
        for row in await ImportStore(work.connection).fetch("first_exhibitors", fair, EXHIBITORS):
            zone = ZoneInfo(row["time_zone"])
            today = work.now.astimezone(zone).date()
            spans = [
                span
                for number in range(1, DAYS + 1)
                for start, end in HOURS
                for span in cut(today + timedelta(days=number), start, end, MINUTES, zone)
            ]
            new, _ = await store.insert(work.connection, row["fair_id"], row["id"], spans, row["main_id"], work.now)
            made += len(new)
    return made
