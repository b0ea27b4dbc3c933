"""The lobby, from the inside: members of a side see who waits for it, and admit or refuse (M9)."""

from __future__ import annotations

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Guest
from fairwire_protocol.operations import rooms as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.entry_rules import GUESTS_MAX, check_gate, check_keeper, check_sees
from fairwire_server.meetings.lobby_events import LobbyEvents
from fairwire_server.meetings.rooms_store import RoomStore, guest_of
from fairwire_server.meetings.telling import Telling

__all__ = ["Lobby"]


class Lobby:
    """Handlers of `meetings.lobby` and `meetings.admit`."""

    def __init__(
        self, works: Works, commands: Commands, store: RoomStore, telling: Telling, events: LobbyEvents
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._telling = telling
        self._events = events

    async def guests(self, caller: Caller, _: Context, request: operations.MeetingRef) -> operations.Lobby:
        """The caller's side alone: neither side sees whom the other brings before they are in."""
        async with self._works.read() as work:
            entrance = await self._store.entrance(work.connection, request.booking, caller.account)
            side, entrance = check_sees(caller, entrance)
            check_keeper(caller, entrance)
            return operations.Lobby(guests=await self._store.guests(work.connection, entrance.booking, side))

    async def admit(self, caller: Caller, context: Context, request: operations.AnswerGuest) -> Guest:
        """M9: by a member of the side that invited; a guest of the other side is not there."""

        async def apply(work: Work, caller: Caller) -> Guest:
            row = await self._store.row(work.connection, "guest", request.guest)
            if row is None:
                raise Refused("not_found")
            await self._store.lock(work.connection, row["booking_id"])
            entrance = await self._store.entrance(work.connection, row["booking_id"], caller.account)
            side, entrance = check_sees(caller, entrance)
            if side != row["side"]:
                raise Refused("not_found")
            check_keeper(caller, entrance)
            check_gate(entrance.state, entrance.starts_at, entrance.ends_at, work.now)
            row = await self._store.row(work.connection, "guest", request.guest)  # as it is while the booking is held
            assert row is not None
            guest = guest_of(row)
            if guest.state == ("admitted" if request.admit else "refused"):
                return guest
            if request.admit:
                args = entrance.booking, side, row["invitation_id"], guest.id
                if await self._store.value(work.connection, "count_guests", *args) >= GUESTS_MAX:
                    raise Refused("guest_limit")
            answered = await self._store.row(work.connection, "answer_guest", guest.id, request.admit, work.now)
            assert answered is not None
            guest = guest_of(answered)
            await self._telling.told_again(work, [], await self._events.changed(work, entrance, guest))
            return guest

        return await self._commands.run(operations.ADMIT, caller, context, request, apply)
