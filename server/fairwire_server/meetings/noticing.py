"""Who is told of a booking's changes and reminded of the meeting, as notices wanted in the booking's own transaction (N1–N4, N10).

The receiving account and the buyer are told of changes and reminded 24 hours and 15 minutes ahead; those who assign are told of a
request and once more when it is still pending at T−24 h. What is written here are people and offsets; channels and texts come later.
Only what the app says of a new request is said here and now: there is nothing to look at again, and half of a fair asks at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from fairwire_protocol.events import Notice, NoticeKind
from fairwire_protocol.models import Guest, Side
from fairwire_server.clock import milliseconds
from fairwire_server.database.work import Work
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.members import Teams
from fairwire_server.meetings.notice_rules import Standing, why_not
from fairwire_server.meetings.records import BookingFact, Change, OfferedPlace
from fairwire_server.notices.planning import Planning, Withdrawal
from fairwire_server.notices.records import Wanted
from fairwire_server.notices.rules import DAY_S, SOON_S
from fairwire_server.streams.told import Draft, Told

__all__ = ["Noticing", "wanted_by", "withdrawn_by"]

ASKED_AFTER_S: Final = 300
"""M11: "did it happen?" comes that long after the slot."""
TIME_UP_FOR: Final = timedelta(minutes=15)
ASKED_FOR: Final = timedelta(hours=24)


class Noticing:
    """`notify` is what `Telling` calls; the others are for what is no change of a booking."""

    def __init__(self, planning: Planning, store: BookingStore) -> None:
        self._planning = planning
        self._store = store

    async def notify(self, work: Work, changes: Sequence[Change], teams: Teams) -> Sequence[Draft]:
        """Plan what these changes want told, and take back what they make untrue. Before streams are locked."""
        await self._planning.withdraw(work, [one for change in changes for one in withdrawn_by(change)])
        deciders = {exhibitor: _deciders(teams, exhibitor) for exhibitor in teams}
        wanted = [
            one for change in changes for one in wanted_by(change, deciders.get(change.after.exhibitor, ()), work.now)
        ]
        known = {member.id: member.addressee for team in teams.values() for member in team}
        return await self._planning.plan(work, _still_true(wanted, changes), known)

    async def proposed(self, work: Work, booking: BookingFact, proposal: UUID, by: Side, expires_at: datetime) -> None:
        """M7: the other side is asked for its yes: the buyer, the receiving account, or those who assign."""
        if by == "team":
            people: Sequence[tuple[UUID, Side]] = [(booking.buyer, "buyer")]
        elif booking.receiver is not None:
            people = [(booking.receiver, "team")]
        else:
            teams = await self._store.teams(work.connection, {booking.exhibitor})
            people = [(account, "team") for account in _deciders(teams, booking.exhibitor)]
        await self._planning.news(work, "proposed", ("proposal", proposal), booking.fair, people, expires_at)

    async def places_offered(self, work: Work, offered: Sequence[OfferedPlace]) -> None:
        """M13: a freed seat is held for each of these buyers."""
        await self._planning.plan(
            work,
            [
                Wanted(
                    subject="place",
                    subject_id=one.place,
                    fair=one.fair,
                    kind="place_offered",
                    recipient=one.buyer,
                    side="buyer",
                    useless_at=one.expires_at,
                )
                for one in offered
            ],
        )

    async def guest_waiting(
        self, work: Work, fair: UUID, guest: Guest, members: Collection[UUID], until: datetime
    ) -> None:
        """M9: somebody stands in the lobby and waits to be admitted by a member of the side that invited."""
        people = [(member, guest.side) for member in sorted(members)]
        await self._planning.news(work, "guest_waiting", ("guest", guest.id), fair, people, until)


def _deciders(teams: Teams, exhibitor: UUID) -> Sequence[UUID]:
    """N10: the active accounts of an exhibitor that assign bookings, main and managers unless the fair says otherwise (A7)."""
    return [member.id for member in teams[exhibitor] if member.assigns]


def withdrawn_by(change: Change) -> Iterator[Withdrawal]:
    """Reminders of another time or for another account; everything, once the meeting is off or has nobody again (N2)."""
    if change.before is None:
        return
    after = change.after
    if after.state == "assigned":
        yield Withdrawal(after.id, change.kind, after.time_revision, after.assignment)
    else:
        yield Withdrawal(after.id, change.kind)


def wanted_by(change: Change, deciders: Sequence[UUID], now: datetime) -> Iterator[Wanted]:
    """Everything that a change makes true to be told, now and later."""
    before, after = change.before, change.after
    plan = _Plan(after, now)
    match change.kind:
        case "requested":
            told = Told(_request_in_the_app(after, now))
            for account in deciders:
                draft = Draft(account, "team", told, after.conversation)
                yield plan.at_once("requested", account, "team", draft)
            yield from plan.pending_day(deciders)
        case "assigned":
            yield from plan.both("assigned")
            yield from plan.reminders()
        case "reassigned":
            yield from plan.receiver("assigned")
            yield from plan.buyer("reassigned")
            if before is not None and before.receiver is not None:
                yield plan.at_once("reassigned", before.receiver, "team")
            yield from plan.reminders()
        case "unassigned":
            yield from plan.buyer("changed")
            if before is not None and before.receiver is not None:
                yield plan.at_once("reassigned", before.receiver, "team")
            yield from plan.pending(deciders)
        case "moved":
            yield from plan.both("changed")
            if after.state == "assigned":
                yield from plan.reminders()
            else:
                yield from plan.pending_day(deciders)
        case "rejected" | "cancelled":
            yield from plan.buyer(change.kind)
            receiver = after.receiver or (before.receiver if before else None)
            if receiver is not None:
                yield plan.at_once(change.kind, receiver, "team")


def _request_in_the_app(booking: BookingFact, now: datetime) -> Notice:
    """What `BookingSubject` would say of it."""
    return Notice(
        kind="requested",
        conversation=booking.conversation,
        booking=booking.id,
        ts=milliseconds(now),
        starts_at=milliseconds(booking.starts_at),
    )


def _still_true(wanted: Sequence[Wanted], changes: Sequence[Change]) -> Sequence[Wanted]:
    """Without what a later change of the same transaction makes untrue, or tells the same people again: moved, and by that pending."""
    last = {change.after.id: change.after for change in changes}
    if len(last) == len(changes):
        return wanted
    kept = {
        (one.subject_id, one.kind, one.recipient): one
        for one in wanted
        if _why_untrue(one, last[one.subject_id]) is None
    }
    return list(kept.values())


def _why_untrue(one: Wanted, booking: BookingFact) -> str | None:
    standing = Standing(
        state=booking.state,
        buyer=booking.buyer,
        receiver=booking.receiver,
        time_revision=booking.time_revision,
        assignment=booking.assignment,
    )
    return why_not(one.kind, one.side, one.recipient, one.time_revision, one.assignment, standing)


class _Plan:
    """Notices of one booking as it is after a change."""

    def __init__(self, booking: BookingFact, now: datetime) -> None:
        self._booking = booking
        # N3: news of a meeting are of use until it begins; those made while it is on, until it ends.
        late = max(booking.ends_at, now + TIME_UP_FOR)
        self._useless_at = booking.starts_at if booking.starts_at > now else late

    def at_once(self, kind: NoticeKind, account: UUID, side: Side, draft: Draft | None = None) -> Wanted:
        assignment = self._booking.assignment
        return self._wanted(kind, account, side, self._useless_at, assignment=assignment, draft=draft)

    def buyer(self, kind: NoticeKind) -> Iterator[Wanted]:
        yield self.at_once(kind, self._booking.buyer, "buyer")

    def receiver(self, kind: NoticeKind) -> Iterator[Wanted]:
        if self._booking.receiver is not None:
            yield self.at_once(kind, self._booking.receiver, "team")

    def both(self, kind: NoticeKind) -> Iterator[Wanted]:
        yield from self.receiver(kind)
        yield from self.buyer(kind)

    def pending(self, deciders: Sequence[UUID]) -> Iterator[Wanted]:
        for account in deciders:
            yield self.at_once("requested", account, "team")
        yield from self.pending_day(deciders)

    def pending_day(self, deciders: Sequence[UUID]) -> Iterator[Wanted]:
        for account in deciders:
            yield self._ahead("pending_day", account, "team", DAY_S, self._booking.starts_at)

    def reminders(self) -> Iterator[Wanted]:
        """N1: both at T−24 h and T−15 min. Afterwards the receiving account hears that time is up (M10), and both are asked (M11)."""
        booking = self._booking
        assert booking.receiver is not None
        people: tuple[tuple[UUID, Side], ...] = ((booking.receiver, "team"), (booking.buyer, "buyer"))
        length = booking.ends_at - booking.starts_at
        over_s = -int(length.total_seconds())
        for account, side in people:
            yield self._ahead("reminder_day", account, side, DAY_S, booking.starts_at)
            yield self._ahead("reminder_soon", account, side, SOON_S, booking.starts_at)
            yield self._ahead("did_it_happen", account, side, over_s - ASKED_AFTER_S, booking.ends_at + ASKED_FOR)
        yield self._ahead("time_up", booking.receiver, "team", over_s, booking.ends_at + TIME_UP_FOR)

    def _ahead(self, kind: NoticeKind, account: UUID, side: Side, offset_s: int, useless_at: datetime) -> Wanted:
        # N4: the buyer's reminders do not change with the receiving account.
        assignment = self._booking.assignment if side == "team" else 0
        return self._wanted(kind, account, side, useless_at, offset_s=offset_s, assignment=assignment)

    def _wanted(
        self,
        kind: NoticeKind,
        account: UUID,
        side: Side,
        useless_at: datetime,
        *,
        assignment: int,
        offset_s: int | None = None,
        draft: Draft | None = None,
    ) -> Wanted:
        booking = self._booking
        return Wanted(
            subject="booking",
            subject_id=booking.id,
            fair=booking.fair,
            kind=kind,
            recipient=account,
            side=side,
            starts_at=booking.starts_at,
            offset_s=offset_s,
            useless_at=useless_at,
            time_revision=booking.time_revision,
            assignment=assignment,
            draft=draft,
        )
