"""Telling of changed bookings: the card in the chat, the events on the streams of those who may see the booking, and what others
do because of it (M6, W3, W5).

For a whole list of changes at once and in as many statements however long it is, because bookings are decided in batches. The rows
are saved before, by whoever decided; what is told is read from them, so that events, lists and the first state cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from fairwire_protocol.events import BookingChanged
from fairwire_protocol.models import Booking, BookingNote, Person
from fairwire_server.chat.posting import Posting, listeners_of, message_row
from fairwire_server.chat.records import Locked, Post
from fairwire_server.chat.store import ChatStore
from fairwire_server.clock import milliseconds
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.members import Member, Teams
from fairwire_server.meetings.ports import Notify, SeatFreed, nobody_waits, nothing_planned
from fairwire_server.meetings.records import BookingFact, Change
from fairwire_server.streams.told import Draft, Told

__all__ = ["Known", "Telling"]


@dataclass(frozen=True, slots=True)
class Known:
    """What whoever has written the rows has read already: conversations, locked; perhaps the bookings as they are shown, and the teams
    of their exhibitors."""

    locked: Mapping[UUID, Locked]
    shown: Mapping[UUID, Booking] | None = None
    teams: Teams | None = None


class Telling:
    """`notify` and `seat_freed` are set by compose once they are made; until then nobody is notified and nobody waits."""

    def __init__(self, store: BookingStore, chats: ChatStore, posting: Callable[[], Posting]) -> None:
        self._store = store
        self._chats = chats
        self._posting = posting
        self.notify: Notify = nothing_planned
        self.seat_freed: SeatFreed = nobody_waits

    async def tell(
        self,
        work: Work,
        changes: Sequence[Change],
        more: Sequence[Draft] = (),
        *,
        freed: Collection[UUID] = (),
        known: Known | None = None,
    ) -> None:
        """Everything that follows from changes whose rows are saved, and `more` events of the same transaction.

        Comes last in it. The caller holds the bookings, and the slots that seats become free in: those that the bookings have left, and
        `freed` beside them. Conversations are locked here, streams after them.
        """
        posting = self._posting()
        if known is None:
            known = Known(await self._chats.lock(work.connection, {change.after.conversation for change in changes}))
        await self.gather(work, posting, known, changes, more, freed=freed)
        await posting.write(work)

    async def gather(
        self,
        work: Work,
        posting: Posting,
        known: Known,
        changes: Sequence[Change],
        more: Sequence[Draft] = (),
        *,
        freed: Collection[UUID] = (),
    ) -> None:
        """`tell`, as a part of what a transaction says in conversations that it has locked; `posting` is still to be written."""
        bookings = {change.after.id: change.after for change in changes}
        teams = known.teams
        if teams is None:
            teams = await self._store.teams(work.connection, {booking.exhibitor for booking in bookings.values()})
        drafts = [*more, *await self.notify(work, changes, teams)]
        if empty := sorted({*freed, *_left(changes)}):
            drafts += await self.seat_freed(work, empty)
        for change in changes:
            self._say(work, posting, change, known.locked[change.after.conversation], teams[change.after.exhibitor])
        older = [change.after.id for change in changes if change.before is not None]
        shown = known.shown
        if shown is None:
            shown = await self._store.shown(work.connection, list(bookings))
        for draft in [*await self._events(work, shown, teams, older), *drafts]:
            posting.tell(draft)

    async def told_again(
        self, work: Work, bookings: Collection[UUID], more: Sequence[Draft] = (), *, freed: Collection[UUID] = ()
    ) -> None:
        """Bookings as they are now, without a card: attendance, a proposal, somebody invited."""
        posting = self._posting()
        offered = await self.seat_freed(work, sorted(freed)) if freed else ()
        shown = await self._store.shown(work.connection, sorted(bookings))
        exhibitors = {booking.exhibitor.id for booking in shown.values()}
        teams = await self._store.teams(work.connection, exhibitors) if exhibitors else {}
        for draft in [*await self._events(work, shown, teams, sorted(bookings)), *more, *offered]:
            posting.tell(draft)
        await posting.write(work)

    def _say(self, work: Work, posting: Posting, change: Change, locked: Locked, team: Sequence[Member]) -> None:
        """The card. It opens no chat and moves no marker: nobody has read anything by it (W9)."""
        post = Post(
            conversation=change.after.conversation,
            seq=locked.conversation.next_seq(),
            kind="booking",
            side=change.side,
            sender=change.by,
            cid=uuid7(),
            detail=msgspec.json.encode(_note(change)),
        )
        readers = [member.id for member in team if member.reads_chats]
        row = message_row(post, change.by_name, work.now)
        posting.say(locked, post, row, listeners_of(locked, readers), reader=None)

    async def _events(
        self, work: Work, shown: Mapping[UUID, Booking], teams: Teams, older: Sequence[UUID]
    ) -> list[Draft]:
        """What everybody is told who may see these bookings: the same for all of them (K2). Only `older` ones can be somebody's own."""
        own = await self._store.own(work.connection, older) if older else {}
        return [
            draft
            for booking in shown.values()
            for draft in _drafts(booking, teams[booking.exhibitor.id], own.get(booking.id, ()))
        ]


def _drafts(booking: Booking, team: Sequence[Member], own: Collection[UUID]) -> list[Draft]:
    """A7, M8: the buyer; of the exhibitor's accounts those that see all bookings, and those that see their own if it is theirs."""
    told = Told(BookingChanged(booking=booking))
    seeing = [member.id for member in team if member.sees == "all" or (member.sees == "own" and member.id in own)]
    return [
        Draft(booking.buyer.id, "buyer", told, booking.conversation),
        *(Draft(account, "team", told, booking.conversation) for account in seeing),
    ]


def _note(change: Change) -> BookingNote:
    after = change.after
    assigned = after.state == "assigned" and after.receiver is not None
    return BookingNote(
        booking=after.id,
        change=change.kind,
        starts_at=milliseconds(after.starts_at),
        ends_at=milliseconds(after.ends_at),
        topic=after.topic,
        receiver=Person(id=after.receiver, name=after.receiver_name) if assigned and after.receiver else None,
        reason=after.reason,
    )


def _left(changes: Sequence[Change]) -> set[UUID]:
    """Slots in which these changes have freed a seat: the booking ended, or moved away."""
    return {change.before.slot for change in changes if change.before and _leaves(change.before, change.after)}


def _leaves(before: BookingFact, after: BookingFact) -> bool:
    live = {"pending", "assigned"}
    return before.state in live and (after.state not in live or after.slot != before.slot)
