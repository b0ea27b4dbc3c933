"""Another time for a booking: proposed by one side, accepted or declined by the other, taken back, or run out (M7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.operations import bookings as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.chat.keywords import KeywordList
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.bookings import last_word, said, side_of
from fairwire_server.meetings.holding import Held, OpenProposal, hold, hold_visible
from fairwire_server.meetings.noticing import Noticing
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.meetings.rules import accepted, expiry, may_arrange, receives_meetings, stepped
from fairwire_server.meetings.slot_store import SlotFact
from fairwire_server.meetings.telling import Telling

__all__ = ["Proposals"]

Outcome = Literal["accepted", "declined", "expired", "withdrawn"]


class Proposals:
    """Handlers of proposals; `expire` runs in the background. `lasts` is how long one waits for its answer."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: BookingStore,
        telling: Telling,
        noticing: Noticing,
        keywords: Callable[[UUID], KeywordList],
        *,
        lasts: timedelta,
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._telling = telling
        self._noticing = noticing
        self._keywords = keywords
        self._lasts = lasts

    async def propose(
        self, caller: Caller, context: Context, request: operations.ProposeTime
    ) -> operations.BookingReply:
        """M7: holds a seat there and changes nothing. It takes the place of one that waits already, whoever's that is."""

        async def apply(work: Work, caller: Caller) -> operations.BookingReply:
            held = await hold_visible(self._store, work, caller, request.booking, slots=[request.slot])
            booking, side = held.booking, side_of(caller)
            may_arrange(caller, booking)
            note = said(request.note, "note", self._keywords(caller.fair), needed=False)
            stepped(booking, "propose", work.now)
            freed = []
            if held.proposal is not None:
                outcome: Outcome = "withdrawn" if held.proposal.side == side else "declined"
                freed.append(await self._close(work, held.proposal, outcome))
            slot = held.slots.get(request.slot)
            await self._check_slot(work, caller, booking, slot)
            assert slot is not None
            expires_at = expiry(work.now, booking, slot.starts_at, self._lasts)
            proposal = uuid7()
            facts = (proposal, booking.id, slot.id, side, caller.account, note, work.now, expires_at)
            await self._store.run(work.connection, "insert_proposal", *facts)
            await self._noticing.proposed(work, booking, proposal, side, expires_at)
            await self._telling.told_again(work, [booking.id], freed=[x for x in freed if x != slot.id])
            return await self._reply(work, booking.id)

        return await self._commands.run(operations.PROPOSE, caller, context, request, apply)

    async def answer(
        self, caller: Caller, context: Context, request: operations.AnswerProposal
    ) -> operations.BookingReply:
        """M7: the other side's yes moves the booking, its no leaves it where it is."""

        async def apply(work: Work, caller: Caller) -> operations.BookingReply:
            held, proposal = await self._waiting(work, caller, request.proposal, ours=False)
            booking = held.booking
            if proposal.expires_at <= work.now:
                raise Refused("no_proposal")
            stepped(booking, "accept" if request.accept else "decline", work.now)
            if request.accept:
                return await self._move(work, caller, held, proposal)
            freed = await self._close(work, proposal, "declined")
            await self._telling.told_again(work, [booking.id], freed=[freed])
            return await self._reply(work, booking.id)

        with last_word():
            return await self._commands.run(operations.ANSWER_PROPOSAL, caller, context, request, apply)

    async def withdraw(
        self, caller: Caller, context: Context, request: operations.ProposalRef
    ) -> operations.BookingReply:
        """M7: the own side takes it back."""

        async def apply(work: Work, caller: Caller) -> operations.BookingReply:
            held, proposal = await self._waiting(work, caller, request.proposal, ours=True)
            stepped(held.booking, "withdraw", work.now)
            freed = await self._close(work, proposal, "withdrawn")
            await self._telling.told_again(work, [held.booking.id], freed=[freed])
            return await self._reply(work, held.booking.id)

        return await self._commands.run(operations.WITHDRAW_PROPOSAL, caller, context, request, apply)

    async def expire(self) -> int:
        """M7: proposals that nobody answered in time let go of their seats. Answers how many were due."""
        async with self._works.read() as work:
            due = await self._store.fetch(work.connection, "due_proposals", work.now)
        for row in due:
            async with self._works.begin() as work:
                held = await hold(self._store, work, row["booking_id"], slots=())
                proposal = held.proposal
                if proposal is not None and proposal.id == row["id"] and proposal.expires_at <= work.now:
                    freed = await self._close(work, proposal, "expired")
                    await self._telling.told_again(work, [held.booking.id], freed=[freed])
        return len(due)

    async def _waiting(self, work: Work, caller: Caller, proposal: UUID, *, ours: bool) -> tuple[Held, OpenProposal]:
        """The booking of a proposal that waits; `ours`: made by the caller's side. Raises `not_found` or `no_proposal`."""
        booking: UUID | None = await self._store.value(work.connection, "booking_of_proposal", proposal)
        if booking is None:
            raise Refused("not_found")
        held = await hold_visible(self._store, work, caller, booking, slots=(), with_receiver=True)
        may_arrange(caller, held.booking)
        waiting = held.proposal
        if waiting is None or waiting.id != proposal or (waiting.side == side_of(caller)) is not ours:
            raise Refused("no_proposal")
        return held, waiting

    async def _check_slot(self, work: Work, caller: Caller, booking: BookingFact, slot: SlotFact | None) -> None:
        """M2, M4: another open slot of the same exhibitor that has not begun, with a free seat, at which the buyer is free."""
        if slot is None or slot.exhibitor != booking.exhibitor:
            raise Refused("not_found")
        if slot.id == booking.slot:
            raise Refused("invalid", "That is the booking's own time.", field="slot")
        if slot.withdrawn or slot.starts_at <= work.now:
            raise Refused("slot_over")
        if await self._store.free_seats(work.connection, slot, caller.table, work.now) < 1:
            raise Refused("slot_full")
        args = (booking.buyer, booking.id, slot.starts_at, slot.ends_at)
        if await self._store.value(work.connection, "buyer_busy", *args):
            raise Refused("buyer_busy")

    async def _move(self, work: Work, caller: Caller, held: Held, proposal: OpenProposal) -> operations.BookingReply:
        booking, slot = held.booking, held.slots[proposal.slot]
        if slot.withdrawn:
            raise Refused("slot_over")
        free = await self._receiver_free(work, caller, held, slot)
        await self._store.run(work.connection, "close_proposal", proposal.id, "accepted")
        changes, before = [], booking
        for kind, after in accepted(booking, slot.id, slot.starts_at, slot.ends_at, receiver_free=free):
            by = (caller.account, caller.name, side_of(caller))
            changes.append(Change(kind=kind, before=before, after=after, by=by[0], by_name=by[1], side=by[2]))
            before = after
        await self._store.save(work.connection, [before], work.now)
        await self._telling.tell(work, changes)
        reply = await self._reply(work, booking.id)
        return operations.BookingReply(booking=reply.booking, unassigned=booking.state != before.state)

    async def _receiver_free(self, work: Work, caller: Caller, held: Held, slot: SlotFact) -> bool:
        """Whether the receiving account, which is locked, can receive the meeting at another time."""
        receiver = held.booking.receiver
        if receiver is None:
            return True
        account = held.accounts[receiver]
        if not receives_meetings(account.kind, account.state, caller.table):
            return False
        args = ([receiver], held.booking.id, slot.starts_at, slot.ends_at)
        return not await self._store.fetch(work.connection, "busy", *args)

    async def _close(self, work: Work, proposal: OpenProposal, outcome: Outcome) -> UUID:
        """The slot in which a seat is free again."""
        await self._store.run(work.connection, "close_proposal", proposal.id, outcome)
        return proposal.slot

    async def _reply(self, work: Work, booking: UUID) -> operations.BookingReply:
        return operations.BookingReply(booking=(await self._store.shown(work.connection, [booking]))[booking])
