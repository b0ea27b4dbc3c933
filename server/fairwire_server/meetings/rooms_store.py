"""Rows of invitations, guests, entries, attendance and calendar feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fairwire_protocol.models import Guest, Side
from fairwire_server.clock import milliseconds
from fairwire_server.database.named import NamedStore
from fairwire_server.database.pool import Connection, Row
from fairwire_server.meetings.entry_rules import Entrance

__all__ = ["RoomStore", "guest_of"]


class RoomStore(NamedStore):
    """Named queries over the tables of entering a meeting."""

    def __init__(self) -> None:
        super().__init__(__package__, "rooms.sql")

    async def own_invitations(
        self, connection: Connection, sides: Sequence[tuple[UUID, Side]]
    ) -> dict[tuple[UUID, Side], UUID]:
        """The side's own invitation of each (booking, side) that has one."""
        rows = await self.fetch(connection, "own_invitations", [one[0] for one in sides], [one[1] for one in sides])
        return {(row["booking_id"], row["side"]): row["id"] for row in rows}

    async def insert_own_invitations(
        self, connection: Connection, sides: Sequence[tuple[UUID, Side]], ids: Sequence[UUID], now: datetime
    ) -> None:
        """Own invitations for those that have none; `sides` in ascending order, so that two who do this never wait in a ring."""
        bookings, names = [one[0] for one in sides], [one[1] for one in sides]
        await self.run(connection, "insert_own_invitations", ids, bookings, names, now)

    async def entrance(self, connection: Connection, booking: UUID, account: UUID) -> Entrance | None:
        """What is decided on of a booking, for an account."""
        row = await self.row(connection, "entrance", booking, account)
        return None if row is None else Entrance(*row)

    async def lock(self, connection: Connection, booking: UUID) -> bool:
        """Hold a booking's row, after slots and accounts and before streams; false if there is none."""
        return await self.value(connection, "lock_booking", booking) is not None

    async def guests(self, connection: Connection, booking: UUID, side: Side) -> tuple[Guest, ...]:
        """The lobby of a side."""
        return tuple(guest_of(row) for row in await self.fetch(connection, "guests", booking, side))


def guest_of(row: Mapping[str, Any] | Row) -> Guest:
    """A guest as its side sees it."""
    state: Literal["waiting", "admitted", "refused"] = "waiting"
    if row["refused_at"] is not None:
        state = "refused"
    elif row["admitted_at"] is not None:
        state = "admitted"
    return Guest(
        id=row["id"],
        booking=row["booking_id"],
        side=row["side"],
        name=row["name"],
        at=milliseconds(row["at"]),
        state=state,
    )
