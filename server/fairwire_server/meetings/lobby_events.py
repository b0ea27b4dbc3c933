"""Who is told of guests (M9): the members of the side that invited them."""

from __future__ import annotations

from uuid import UUID

from fairwire_protocol.events import LobbyChanged, Notice
from fairwire_protocol.models import Guest, Person
from fairwire_server.clock import milliseconds
from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.entry_rules import Entrance
from fairwire_server.meetings.rooms_store import RoomStore
from fairwire_server.streams.told import Draft, Told

__all__ = ["LobbyEvents"]


class LobbyEvents:
    """Drafts, for whoever changes a lobby to write with the rest of its transaction."""

    def __init__(self, store: RoomStore, bookings: BookingStore) -> None:
        self._store = store
        self._bookings = bookings

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

    async def waits(self, work: Work, entrance: Entrance, guest: Guest) -> list[Draft]:
        """A new guest: those who can let it in from inside are told to look."""
        notice = Notice(
            kind="guest_waiting",
            booking=entrance.booking,
            ts=milliseconds(work.now),
            starts_at=milliseconds(entrance.starts_at),
            about=Person(id=guest.id, name=guest.name),
        )
        if guest.side == "buyer":
            return [Draft(entrance.buyer, "buyer", Told(notice))]
        return [Draft(account, "team", Told(notice)) for account in sorted(await self._members(work, entrance.booking))]

    async def _members(self, work: Work, booking: UUID) -> set[UUID]:
        rows = await self._store.fetch(work.connection, "members", booking)
        return {row["account_id"] for row in rows}
