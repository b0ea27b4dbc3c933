"""Who is told of guests (M9): the members of the side that invited them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from fairwire_protocol.events import LobbyChanged
from fairwire_protocol.models import Guest, Side
from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.entry_rules import Entrance, closes_at
from fairwire_server.meetings.rooms_store import RoomStore
from fairwire_server.streams.told import Draft, Told

__all__ = ["GuestWaits", "LobbyEvents"]

GuestWaits = Callable[[Work, UUID, UUID, Sequence[tuple[UUID, Side]], datetime], Awaitable[None]]
"""Plans the notices of a fair's guest to members of its side, which are of use until that instant. Before streams are locked."""


async def _nobody(_: Work, __: UUID, ___: UUID, ____: Sequence[tuple[UUID, Side]], _____: datetime) -> None:
    """Until compose has set it."""


class LobbyEvents:
    """Drafts, for whoever changes a lobby to write with the rest of its transaction. `notify` is set by compose."""

    def __init__(self, store: RoomStore, bookings: BookingStore) -> None:
        self._store = store
        self._bookings = bookings
        self.notify: GuestWaits = _nobody

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
        """A new guest: those who can let it in from inside are told to look, until the meeting cannot be entered any more."""
        inside = {entrance.buyer} if guest.side == "buyer" else await self._members(work, entrance.booking)
        members = [(account, guest.side) for account in sorted(inside)]
        await self.notify(work, entrance.fair, guest.id, members, closes_at(entrance.ends_at))

    async def _members(self, work: Work, booking: UUID) -> set[UUID]:
        rows = await self._store.fetch(work.connection, "members", booking)
        return {row["account_id"] for row in rows}
