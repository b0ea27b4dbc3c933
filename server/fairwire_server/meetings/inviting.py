"""Inviting to a meeting (M8, M9): by a link that can be passed on, or a colleague of the exhibitor's by name."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Person, Side
from fairwire_protocol.operations import Empty
from fairwire_protocol.operations import rooms as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller, booking_scopes
from fairwire_server.clock import milliseconds
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.entry_rules import Entrance, check_inviter, check_keeper, check_sees, gate_of
from fairwire_server.meetings.links import Invitation, Links
from fairwire_server.meetings.lobby_events import LobbyEvents
from fairwire_server.meetings.rooms_store import RoomStore, guest_of
from fairwire_server.meetings.telling import Telling

__all__ = ["Inviting"]

LINKS_MAX: Final = 20
"""Of a side of a meeting, that hold."""


class Inviting:
    """Handlers of invitations."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: RoomStore,
        links: Links,
        telling: Telling,
        events: LobbyEvents,
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._links = links
        self._telling = telling
        self._events = events

    async def invite(self, caller: Caller, context: Context, request: operations.Invite) -> operations.Invitation:
        """M8: by receiving account and buyer; of a meeting that is assigned and not over."""

        async def apply(work: Work, caller: Caller) -> operations.Invitation:
            side, entrance = await self._locked(work, caller, request.booking)
            check_inviter(caller, entrance)
            if gate_of(entrance.state, entrance.starts_at, entrance.ends_at, work.now) == "late":
                raise Refused("too_late")
            if entrance.state != "assigned":
                raise Refused("wrong_state", detail={"state": entrance.state})
            if request.account is None:
                return await self._link(work, caller, side, entrance, context.cid or uuid7())
            return await self._colleague(work, caller, entrance, request.account)

        return await self._commands.run(operations.INVITE, caller, context, request, apply)

    async def invitations(self, caller: Caller, _: Context, request: operations.MeetingRef) -> operations.Invitations:
        """What holds of the caller's side, for its members."""
        async with self._works.read() as work:
            entrance = await self._store.entrance(work.connection, request.booking, caller.account)
            side, entrance = check_sees(caller, entrance)
            check_keeper(caller, entrance)
            links = await self._store.fetch(work.connection, "links", entrance.booking, side)
            names = await self._store.fetch(work.connection, "colleagues_invited", entrance.booking)
        found = [self._shown(row, entrance.booking, side) for row in links]
        if side == "team":
            found += [_colleague(row, entrance.booking) for row in names]
        number = entrance.room_number if entrance.state == "assigned" else None
        return operations.Invitations(invitations=tuple(found), room_page=self._links.room_page, room_number=number)

    async def revoke(self, caller: Caller, context: Context, request: operations.InvitationRef) -> Empty:
        """M9: a link of the own side ends, and with it the waiting of those who came by it."""

        async def apply(work: Work, caller: Caller) -> Empty:
            row = await self._store.row(work.connection, "link", request.invitation)
            if row is None:
                raise Refused("not_found")
            side, entrance = await self._locked(work, caller, row["booking_id"])
            if side != row["side"]:
                raise Refused("not_found")
            check_keeper(caller, entrance)
            if await self._store.value(work.connection, "revoke_link", request.invitation, work.now):
                refused = await self._store.fetch(work.connection, "refuse_waiting", request.invitation, work.now)
                drafts = [
                    draft for guest in refused for draft in await self._events.changed(work, entrance, guest_of(guest))
                ]
                await self._telling.told_again(work, [], drafts)
            return Empty()

        return await self._commands.run(operations.REVOKE_INVITATION, caller, context, request, apply)

    async def uninvite(self, caller: Caller, context: Context, request: operations.Uninvite) -> Empty:
        """M8: a colleague no longer enters. That it has seen the meeting stays so (A7: holds or held)."""

        async def apply(work: Work, caller: Caller) -> Empty:
            side, entrance = await self._locked(work, caller, request.booking)
            check_keeper(caller, entrance)
            args = entrance.booking, request.account, work.now
            if side == "buyer" or await self._store.value(work.connection, "end_invited", *args) is None:
                raise Refused("not_found")
            return Empty()

        return await self._commands.run(operations.UNINVITE, caller, context, request, apply)

    async def _link(
        self, work: Work, caller: Caller, side: Side, entrance: Entrance, id_: UUID
    ) -> operations.Invitation:
        """One link for each command; its row stands for the result, so that no address is stored (W7)."""
        if await self._store.row(work.connection, "link", id_) is None:
            if await self._store.value(work.connection, "count_links", entrance.booking, side) >= LINKS_MAX:
                raise Refused("invitation_limit")
            await self._store.run(work.connection, "insert_link", id_, entrance.booking, side, caller.account, work.now)
        row = await self._store.row(work.connection, "link", id_)
        assert row is not None
        if (row["booking_id"], row["side"], row["by_id"]) != (entrance.booking, side, caller.account):
            raise Refused("cid_reused")
        return self._shown(row, entrance.booking, side)

    async def _colleague(self, work: Work, caller: Caller, entrance: Entrance, account: UUID) -> operations.Invitation:
        found = None
        if caller.exhibitor is not None:  # a buyer invites by link
            found = await self._store.row(work.connection, "colleague", account, caller.exhibitor)
        if found is None or found["kind"] not in booking_scopes(caller.table):
            raise Refused("bad_guest")
        args = entrance.booking, account, caller.account, work.now
        await self._store.run(work.connection, "insert_invited", *args)
        await self._telling.told_again(work, [entrance.booking])
        rows = await self._store.fetch(work.connection, "colleagues_invited", entrance.booking)
        return next(_colleague(row, entrance.booking) for row in rows if row["account_id"] == account)

    async def _locked(self, work: Work, caller: Caller, booking: UUID) -> tuple[Side, Entrance]:
        await self._store.lock(work.connection, booking)
        return check_sees(caller, await self._store.entrance(work.connection, booking, caller.account))

    def _shown(self, row: Row, booking: UUID, side: Side) -> operations.Invitation:
        return operations.Invitation(
            id=row["id"],
            booking=booking,
            side=side,
            at=milliseconds(row["at"]),
            address=self._links.address(Invitation(row["id"], booking, side)),
            by=None if row["by_id"] is None else Person(id=row["by_id"], name=row["by_name"]),
            guests=row.get("guests", 0),
        )


def _colleague(row: Row, booking: UUID) -> operations.Invitation:
    return operations.Invitation(
        booking=booking,
        side="team",
        at=milliseconds(row["at"]),
        account=Person(id=row["account_id"], name=row["name"]),
        by=Person(id=row["by_id"], name=row["by_name"]),
    )
