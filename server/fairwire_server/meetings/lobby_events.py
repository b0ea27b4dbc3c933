"""Who is told of guests (M9): the members of the side that invited them."""

from __future__ import annotations

from uuid import UUID

from fairwire_protocol.events import LobbyChanged
from fairwire_protocol.models import Guest
from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.entry_rules import Entrance, closes_at
from fairwire_server.meetings.noticing import Noticing
from fairwire_server.meetings.rooms_store import RoomStore
from fairwire_server.streams.told import Draft, Told

__all__ = ["LobbyEvents"]


class LobbyEvents:
    """For whoever changes a lobby: drafts to write with the rest of its transaction, and notices planned in it."""

    def __init__(self, store: RoomStore, bookings: BookingStore, noticing: Noticing) -> None:
        self._store = store
        self._bookings = bookings
        self._noticing = noticing

    async def changed(self, work: Work, entrance: Entrance, guest: Guest) -> list[Draft]:
        """The guest as it is now, to the members and to those of the exhibitor that see all bookings."""
        told = Told(LobbyChanged(guest=guest))
        if guest.side == "buyer":
            return [Draft(entrance.buyer, "buyer", told)]
        members = await self._members(work, entrance.booking)
        teams = await self._bookings.teams(work.connection, {entrance.exhibitor})
        return [
            Draft(account.id, "team", told)
            for account in teams[entrance.exhibitor]
            if account.sees == "all" or account.id in members
        ]

    async def waits(self, work: Work, entrance: Entrance, guest: Guest) -> None:
        """A new guest: those who can let it in from inside are to look (N10)."""
        members = {entrance.buyer} if guest.side == "buyer" else await self._members(work, entrance.booking)
        await self._noticing.guest_waiting(work, entrance.fair, guest, members, closes_at(entrance.ends_at))

    async def _members(self, work: Work, booking: UUID) -> set[UUID]:
        rows = await self._store.fetch(work.connection, "members", booking)
        return {row["account_id"] for row in rows}
