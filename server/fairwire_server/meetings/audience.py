"""Who must hear of a changed name because a booking shows it (W5): what compose registers with accounts and contacts."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore

__all__ = ["BookingAudience"]


class BookingAudience:
    """Reads who sees which bookings."""

    def __init__(self, store: BookingStore) -> None:
        self._store = store

    async def of_buyer(self, work: Work, exhibitor: UUID, buyer: UUID) -> Collection[UUID]:
        """Accounts of an exhibitor that see a booking of a buyer (A7)."""
        rows = await self._store.fetch(work.connection, "watchers_of_buyer", exhibitor, buyer)
        own = {row["account_id"] for row in rows}
        if not own and not await self._store.value(work.connection, "has_booking", exhibitor, buyer):
            return ()
        team = (await self._store.teams(work.connection, [exhibitor]))[exhibitor]
        return [one.id for one in team if one.sees == "all" or (one.sees == "own" and one.id in own)]

    async def of_colleague(self, work: Work, account: UUID) -> Collection[UUID]:
        """Buyers to whom bookings and their cards have shown the name of an exhibitor's account."""
        rows = await self._store.fetch(work.connection, "buyers_who_saw", account)
        return [row["buyer_id"] for row in rows]
