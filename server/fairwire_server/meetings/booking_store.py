"""Rows of bookings, of the slots they are in, and of who may see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from fairwire_protocol.models import Booking
from fairwire_server.accounts.rules import Table
from fairwire_server.database.named import NamedStore
from fairwire_server.database.pool import Connection, Row
from fairwire_server.meetings.members import Teams, teams_of
from fairwire_server.meetings.records import BookingFact
from fairwire_server.meetings.rules import Candidate
from fairwire_server.meetings.shapes import booking_of
from fairwire_server.meetings.slot_rules import capacity_of
from fairwire_server.meetings.slot_store import SlotFact, SlotStore

__all__ = ["BookingStore"]


class BookingStore(NamedStore):
    """Named queries of bookings."""

    def __init__(self) -> None:
        super().__init__(__package__, "bookings.sql")
        self._slots = SlotStore()

    async def lock_slots(self, connection: Connection, slots: Iterable[UUID]) -> dict[UUID, SlotFact]:
        """Lock slots by ascending id, before anything else; those that do not exist are left out."""
        return await self._slots.lock(connection, slots)

    async def free_seats(self, connection: Connection, slot: SlotFact, table: Table, now: datetime) -> int:
        """Seats of a locked slot for whoever comes now; those in line come first (M2, M13)."""
        rows = await connection.fetch(self._sql["active_accounts"], slot.exhibitor)
        active = {row["kind"]: row["accounts"] for row in rows}
        capacity = capacity_of(active, table, receivers_only=slot.receivers_only)
        return (await self._slots.seats(connection, [slot.id], now))[slot.id].free(capacity)

    async def lock_receivers(self, connection: Connection, accounts: Iterable[UUID]) -> dict[UUID, Candidate]:
        """Lock possible receiving accounts by ascending id; those that do not exist are left out."""
        rows = await connection.fetch(self._sql["lock_receivers"], sorted(set(accounts)))
        return {row["id"]: Candidate(*row) for row in rows}

    async def team_receivers(self, connection: Connection, exhibitor: UUID) -> list[Candidate]:
        """An exhibitor's active accounts by name."""
        return [Candidate(*row) for row in await connection.fetch(self._sql["team_receivers"], exhibitor)]

    async def lock(self, connection: Connection, bookings: Iterable[UUID]) -> dict[UUID, BookingFact]:
        """Lock bookings by ascending id; those that do not exist are left out."""
        rows = await connection.fetch(self._sql["lock_bookings"], sorted(set(bookings)))
        return {row["id"]: _fact(row) for row in rows}

    async def find(self, connection: Connection, booking: UUID) -> BookingFact | None:
        """A booking, for whoever only reads."""
        row = await connection.fetchrow(self._sql["find_booking"], booking)
        return None if row is None else _fact(row)

    async def save(self, connection: Connection, bookings: Sequence[BookingFact], now: datetime) -> None:
        """Save changed bookings. Raises `ConstraintViolated` of booking_buyer_free or booking_receiver_free (M4)."""
        await connection.execute(
            self._sql["save_bookings"],
            [b.id for b in bookings],
            [b.slot for b in bookings],
            [b.starts_at for b in bookings],
            [b.ends_at for b in bookings],
            [b.state for b in bookings],
            [b.receiver for b in bookings],
            [b.reason for b in bookings],
            [b.ended_by for b in bookings],
            [b.time_revision for b in bookings],
            [b.assignment for b in bookings],
            [b.sequence for b in bookings],
            [b.room_number for b in bookings],
            now,
        )

    async def shown(self, connection: Connection, bookings: Collection[UUID]) -> dict[UUID, Booking]:
        """Bookings as everybody who may see them sees them."""
        rows = await connection.fetch(self._sql["shown"], list(bookings))
        return {row["id"]: booking_of(row) for row in rows}

    async def teams(self, connection: Connection, exhibitors: Collection[UUID]) -> Teams:
        """Exhibitors' accounts that may be told of bookings or chats."""
        return teams_of(await connection.fetchval(self._sql["teams"], list(exhibitors)), exhibitors)

    async def own(self, connection: Connection, bookings: Collection[UUID]) -> dict[UUID, set[UUID]]:
        """By booking: the accounts that receive it, received it once, or are invited."""
        found: dict[UUID, set[UUID]] = {booking: set() for booking in bookings}
        for row in await connection.fetch(self._sql["own_bookings"], list(bookings)):
            found[row["booking_id"]].add(row["account_id"])
        return found


def _fact(row: Row) -> BookingFact:
    return BookingFact(
        id=row["id"],
        fair=row["fair_id"],
        exhibitor=row["exhibitor_id"],
        buyer=row["buyer_id"],
        slot=row["slot_id"],
        conversation=row["conversation_id"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        state=row["state"],
        topic=row["topic"],
        receiver=row["receiver_id"],
        receiver_name=row["receiver_name"],
        reason=row["reason"],
        ended_by=row["ended_by"],
        time_revision=row["time_revision"],
        assignment=row["assignment"],
        sequence=row["sequence"],
        room_number=row["room_number"],
        buyer_attendance=row["buyer_attendance"],
        team_attendance=row["team_attendance"],
    )
