"""The life of a booking: assigned, reassigned, rejected, cancelled (M4–M7, A6, A8)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal
from uuid import UUID

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_protocol.models import Side
from fairwire_protocol.operations import bookings as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.chat.keywords import KeywordList
from fairwire_server.context import Context
from fairwire_server.database.errors import ConstraintViolated
from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.holding import hold_visible
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.meetings.rules import assigned, check_receiver, clean_text, ended, may_cancel, stepped
from fairwire_server.meetings.telling import Telling

__all__ = ["Bookings", "last_word", "said", "side_of"]

ROOMS: Final = 10**9
Ended = Literal["rejected", "cancelled"]
MEANT: Final = {"booking_buyer_free": "buyer_busy", "booking_receiver_free": "receiver_busy"}


@contextmanager
def last_word() -> Iterator[None]:
    """Around a unit of work: the exclusion constraints have the last word, and this is what they say (M4)."""
    try:
        yield
    except ConstraintViolated as violated:
        if violated.name == "booking_room_number":  # drawn by another meeting at this very moment
            raise Unavailable(retry_after_ms=50) from violated
        if violated.name not in MEANT:
            raise
        raise Refused(MEANT[violated.name]) from violated


def side_of(caller: Caller) -> Side:
    """The side that the caller acts for."""
    return "buyer" if caller.side == "buyer" else "team"


def said(text: str, field: str, keywords: KeywordList, *, needed: bool) -> str:
    """A reason or note as it is kept; refuses a word that the fair refuses (C18, M7)."""
    kept = clean_text(text, field, needed=needed)
    if kept and keywords.check(kept).action == "refuse":
        raise Refused("refused_keyword", field=field)
    return kept


class Bookings:
    """Handlers of what ends a booking or gives it to somebody."""

    def __init__(
        self, commands: Commands, store: BookingStore, telling: Telling, keywords: Callable[[UUID], KeywordList]
    ) -> None:
        self._commands = commands
        self._store = store
        self._telling = telling
        self._keywords = keywords

    async def assign(
        self, caller: Caller, context: Context, request: operations.AssignBooking
    ) -> operations.BookingReply:
        """M6: the first assignment, or another receiving account until the end."""

        async def apply(work: Work, caller: Caller) -> operations.BookingReply:
            held = await hold_visible(self._store, work, caller, request.booking, accounts=[request.receiver])
            before, to = held.booking, held.accounts.get(request.receiver)
            if request.assignment is not None and request.assignment != before.assignment:
                raise Refused("conflict", detail={"assignment": before.assignment})
            stepped(before, "assign", work.now)
            to = check_receiver(before, to, caller.table, confirmed=request.confirm_unreachable)
            if to.id == before.receiver:
                return await self._reply(work, before.id)
            await self._check_free(work, before, to.id)
            kind, after = assigned(before, to.id, to.name, await self._room(work, before))
            await self._store.save(work.connection, [after], work.now)
            receiver = (after.id, after.assignment, to.id, caller.account, work.now)
            await self._store.run(work.connection, "add_receiver", *receiver)
            change = Change(kind=kind, before=before, after=after, by=caller.account, by_name=caller.name, side="team")
            await self._telling.tell(work, [change])
            return await self._reply(work, after.id)

        with last_word():
            return await self._commands.run(operations.ASSIGN, caller, context, request, apply)

    async def reject(self, caller: Caller, context: Context, request: operations.EndBooking) -> operations.BookingReply:
        """M7: the exhibitor does not take the request; its seat is free again (M2)."""

        async def apply(work: Work, caller: Caller) -> operations.BookingReply:
            return await self._end(work, caller, request, "rejected")

        return await self._commands.run(operations.REJECT, caller, context, request, apply)

    async def cancel(self, caller: Caller, context: Context, request: operations.EndBooking) -> operations.BookingReply:
        """M7: by either side."""

        async def apply(work: Work, caller: Caller) -> operations.BookingReply:
            return await self._end(work, caller, request, "cancelled")

        return await self._commands.run(operations.CANCEL, caller, context, request, apply)

    async def _end(
        self, work: Work, caller: Caller, request: operations.EndBooking, state: Ended
    ) -> operations.BookingReply:
        held = await hold_visible(self._store, work, caller, request.booking, slots=())
        before, side = held.booking, side_of(caller)
        may_cancel(caller)
        reason = said(request.reason, "reason", self._keywords(caller.fair), needed=True)
        stepped(before, "reject" if state == "rejected" else "cancel", work.now)
        after = ended(before, state, side, reason)
        freed: list[UUID] = []
        if held.proposal is not None:  # whatever ends a booking ends the question when it is
            await self._store.run(work.connection, "close_proposal", held.proposal.id, "withdrawn")
            freed.append(held.proposal.slot)
        await self._store.save(work.connection, [after], work.now)
        change = Change(kind=state, before=before, after=after, by=caller.account, by_name=caller.name, side=side)
        await self._telling.tell(work, [change], freed=freed)
        return await self._reply(work, after.id)

    async def _check_free(self, work: Work, booking: BookingFact, receiver: UUID) -> None:
        """M4: nobody is in two meetings. The account's row is locked, so this holds until the commit."""
        args = ([receiver], booking.id, booking.starts_at, booking.ends_at)
        if await self._store.fetch(work.connection, "busy", *args):
            raise Refused("receiver_busy")

    async def _room(self, work: Work, booking: BookingFact) -> str:
        """M9: nine random digits, unique among live meetings; kept over reassignments unless another has drawn them meanwhile."""
        number = booking.room_number or f"{secrets.randbelow(ROOMS):09}"
        while await self._store.value(work.connection, "room_taken", number, booking.id):
            number = f"{secrets.randbelow(ROOMS):09}"
        return number

    async def _reply(self, work: Work, booking: UUID) -> operations.BookingReply:
        return operations.BookingReply(booking=(await self._store.shown(work.connection, [booking]))[booking])
