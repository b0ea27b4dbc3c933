"""Entering a meeting from the platform (进入洽谈), and whether it took place (M8, M11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Side
from fairwire_protocol.operations import rooms as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import milliseconds
from fairwire_server.context import Context
from fairwire_server.database.work import Work
from fairwire_server.meetings.entry_rules import (
    Entrance,
    check_after,
    check_gate,
    check_sees,
    closes_at,
    may_enter,
    opens_at,
)
from fairwire_server.meetings.links import Links
from fairwire_server.meetings.rooms import Entrant, RoomProvider
from fairwire_server.meetings.rooms_store import RoomStore

__all__ = ["Entering", "ToldAgain"]

ToldAgain = Callable[[Work, Collection[UUID]], Awaitable[None]]
"""Tells everybody who sees these bookings how they are now; comes last in a transaction."""


class Entering:
    """Handlers of `meetings.enter` and `meetings.attendance`."""

    def __init__(
        self, commands: Commands, store: RoomStore, rooms: RoomProvider, links: Links, told_again: ToldAgain
    ) -> None:
        self._commands = commands
        self._store = store
        self._rooms = rooms
        self._links = links
        self._told_again = told_again

    async def enter(self, caller: Caller, context: Context, request: operations.MeetingRef) -> operations.Entered:
        """M8: the address of the room; M11: that side has attended."""

        async def apply(work: Work, caller: Caller) -> operations.Entered:
            side, entrance = await self._locked(work, caller, request.booking)
            if not may_enter(caller, entrance):
                raise Refused("forbidden", "Of the exhibitor's side others enter as invited (M8).")
            check_gate(entrance.state, entrance.starts_at, entrance.ends_at, work.now)
            await self._store.run(work.connection, "insert_entry", entrance.booking, caller.account, work.now)
            await self._came(work, entrance.booking, side)
            entrant = Entrant(
                booking=entrance.booking,
                room=self._links.room_name(entrance.booking),
                id=caller.account,
                name=caller.name,
                member=True,
                opens_at=opens_at(entrance.starts_at),
                closes_at=closes_at(entrance.ends_at),
            )
            address = self._rooms.address(entrant, work.now)
            return operations.Entered(address=address, closes_at=milliseconds(entrant.closes_at))

        return await self._commands.run(operations.ENTER, caller, context, request, apply)

    async def attendance(
        self, caller: Caller, context: Context, request: operations.Attended
    ) -> operations.AttendanceReply:
        """M11: whoever sees the meeting says after the slot whether a side came, and may say otherwise later."""

        async def apply(work: Work, caller: Caller) -> operations.AttendanceReply:
            _, entrance = await self._locked(work, caller, request.booking)
            if entrance.state != "assigned":
                raise Refused("wrong_state", detail={"state": entrance.state})
            check_after(entrance.ends_at, work.now)
            args = entrance.booking, request.side, request.attendance
            if await self._store.value(work.connection, "set_attendance", *args):
                await self._told_again(work, [entrance.booking])
            known = await self._store.row(work.connection, "attendance", entrance.booking)
            assert known is not None
            return operations.AttendanceReply(buyer=known["buyer_attendance"], team=known["team_attendance"])

        return await self._commands.run(operations.ATTENDANCE, caller, context, request, apply)

    async def _came(self, work: Work, booking: UUID, side: Side) -> None:
        if await self._store.value(work.connection, "set_attendance", booking, side, "attended"):
            await self._told_again(work, [booking])

    async def _locked(self, work: Work, caller: Caller, booking: UUID) -> tuple[Side, Entrance]:
        await self._store.lock(work.connection, booking)
        return check_sees(caller, await self._store.entrance(work.connection, booking, caller.account))
