"""Claiming: due notices become parcels in one transaction, within the provider's rate (N2–N9).

One transaction takes what is due and not locked, T−15 first, asks each notice's subject whether it still holds, looks at quiet
hours, addresses and the SMS budget, and writes the attempt with its lease. Nothing is rendered in it and nobody is called. What is not sent
now ends here with its reason, and falls over to the next channel where that is what the reason means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fairwire_server.clock import Clock
from fairwire_server.database.pool import Row
from fairwire_server.database.present import Present
from fairwire_server.database.work import Work, Works
from fairwire_server.notices.fall_over import FallOver
from fairwire_server.notices.records import Claimed, Facts, Recipient, Subject
from fairwire_server.notices.rules import KINDS, Budget, Spend, budget_day, channels_for, may_spend, quiet_until
from fairwire_server.notices.store import NoticeStore
from fairwire_server.streams.service import Streams
from fairwire_server.streams.told import Draft, Told

__all__ = ["LEASE_S", "Claims", "Held", "claimed_of"]

LEASE_S: Final = 10.0
"""A parcel leaves within this of its claim, or not at all (N4)."""
WINDOW_S: Final = 0.2
"""How far ahead of its rate a provider may be claimed for: no second holds more than a fifth above it."""
PRIORITIES: Final = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Held:
    """A notice with its committed attempt. `leave_by` is by CLOCK_BOOTTIME, counted from before the claim began."""

    notice: Claimed
    recipient: Recipient
    facts: Facts
    number: int
    leave_by: float


@dataclass(frozen=True, slots=True)
class _End:
    """Why a due notice is not sent now; `due_at`: it is put off until then."""

    notice: Claimed
    reason: str
    due_at: datetime | None = None
    falls_over: bool = False


class Claims:
    """Used by workers; `subjects` know what notices are about."""

    def __init__(
        self,
        works: Works,
        store: NoticeStore,
        streams: Streams,
        fall_over: FallOver,
        subjects: Mapping[str, Subject],
        present: Present,
        worker: UUID,
        budget: Budget,
    ) -> None:
        self._works = works
        self._store = store
        self._streams = streams
        self._fall_over = fall_over
        self._subjects = subjects
        self._present = present
        self._worker = worker
        self._budget = budget

    @property
    def clock(self) -> Clock:
        """What leases are compared with."""
        return self._works.clock

    async def know(self, name: str, channel: str, rate: float) -> None:
        """The provider has a row."""
        async with self._works.begin() as work:
            now = await self._present(work)
            await self._store.run(work.connection, "keep_provider", name, channel, rate, now)

    async def earliest(self, channel: str) -> float | None:
        """Seconds until the next notice of that channel falls due, by the shared clock; None when none is planned."""
        async with self._works.read() as work:
            rows = await self._store.fetch(work.connection, "earliest")
            due = [row["due_at"] for row in rows if row["channel"] == channel]
            return (min(due) - await self._present(work)).total_seconds() if due else None

    async def claim(self, provider: str, channel: str, room: int) -> tuple[list[Held], float | None]:
        """At most `room` notices for a provider, and how long it takes no more: None when its rate was not what bounded them."""
        boot = self.clock.boottime()
        async with self._works.begin() as work:
            now = await self._present(work)
            row = await self._store.row(work.connection, "lock_provider", provider)
            if row is None:
                return [], None
            free, wait = _allowed(row, now)
            rows = await self._due(work, channel, now, min(room, free))
            if not rows:
                return [], wait if free < 1 else None
            kept, ends = await self._sort(work, now, rows)
            if kept:
                ids = [notice.id for notice, _, _ in kept]
                lease = now + timedelta(seconds=LEASE_S)
                await self._store.run(work.connection, "hold", ids, lease, provider, self._worker, now)
                await self._store.run(work.connection, "take_rate", provider, now, len(kept))
            await self._end(work, now, ends)
        leave_by = boot + LEASE_S
        held = [Held(notice, who, facts, notice.attempts + 1, leave_by) for notice, who, facts in kept]
        return held, wait if free <= len(rows) else None

    async def tell_in_app(self, room: int) -> int:
        """Notices in the app are told in the transaction that claims them: never twice, never lost. Answers how many were due."""
        async with self._works.begin(planned="by_index") as work:
            now = await self._present(work)
            rows = await self._due(work, "in_app", now, room)
            if not rows:
                return 0
            kept, ends = await self._sort(work, now, rows)
            await self._end(work, now, ends)
            if kept:
                told = [
                    Draft(one.recipient, one.side, Told(facts.event), facts.event.conversation)
                    for one, _, facts in kept
                ]
                await self._streams.append(work, told)
                done = await self._present(work)
                await self._store.run(work.connection, "told", [one.id for one, _, _ in kept], now, done, self._worker)
        return len(rows)

    async def divert(self, channel: str, room: int) -> int:
        """What is due on a channel that nobody carries falls over at once. Answers how many."""
        async with self._works.begin() as work:
            now = await self._present(work)
            rows = await self._due(work, channel, now, room)
            await self._end(work, now, [_End(claimed_of(row), "no_provider", falls_over=True) for row in rows])
        return len(rows)

    async def _due(self, work: Work, channel: str, now: datetime, room: int) -> list[Row]:
        """T−15 before everything else, then by when they fell due (N5)."""
        rows: list[Row] = []
        for priority in PRIORITIES:
            if room > len(rows):
                rows += await self._store.fetch(work.connection, "due", channel, priority, now, room - len(rows))
        return rows

    async def _sort(
        self, work: Work, now: datetime, rows: Sequence[Row]
    ) -> tuple[list[tuple[Claimed, Recipient, Facts]], list[_End]]:
        """What is sent now, and what is not."""
        notices = [claimed_of(row) for row in rows]
        people = await self._store.recipients(work.connection, {one.recipient for one in notices})
        ends: list[_End] = []
        open_: list[Claimed] = []
        for one in notices:
            end = _stands_in_the_way(one, people[one.recipient], now)
            if end is None:
                open_.append(one)
            else:
                ends.append(end)
        known = await self._recheck(work, open_)
        kept: list[tuple[Claimed, Recipient, Facts]] = []
        for one in open_:
            found = known.get(one.id, "gone")
            who = people[one.recipient]
            if isinstance(found, str):
                ends.append(_End(one, found))
            elif not _address(one, who):
                ends.append(_End(one, "no_address", falls_over=True))
            else:
                kept.append((one, who, found))
        return await self._within_budget(work, now, kept, ends), ends

    async def _recheck(self, work: Work, notices: Iterable[Claimed]) -> dict[UUID, Facts | str]:
        by_subject: dict[str, list[Claimed]] = {}
        for one in notices:
            by_subject.setdefault(one.subject, []).append(one)
        found: dict[UUID, Facts | str] = {}
        for subject, some in by_subject.items():
            if subject in self._subjects:
                found |= await self._subjects[subject].recheck(work, some)
        return found

    async def _within_budget(
        self, work: Work, now: datetime, kept: list[tuple[Claimed, Recipient, Facts]], ends: list[_End]
    ) -> list[tuple[Claimed, Recipient, Facts]]:
        """N7. A message that is tried again was paid for when it was first tried."""
        numbers = {who.mobile for one, who, _ in kept if one.channel == "sms" and not one.attempts and who.mobile}
        if not numbers:
            return kept
        day = budget_day(now).date()
        spent = await self._store.budgets(work.connection, numbers, day)
        fits: list[tuple[Claimed, Recipient, Facts]] = []
        for one, who, facts in kept:
            spend = KINDS[one.kind].spend
            if one.attempts or who.mobile is None or spend is None:
                fits.append((one, who, facts))
            elif may_spend(one.kind, spent[who.mobile], self._budget):
                spent[who.mobile][spend] += 1
                fits.append((one, who, facts))
            else:
                ends.append(_End(one, "budget", falls_over=True))
        await self._store.columns(work.connection, "spend", [(n, *_counts(spent[n])) for n in sorted(numbers)], day)
        return fits

    async def _end(self, work: Work, now: datetime, ends: Sequence[_End]) -> None:
        if not ends:
            return
        rows = [(end.notice.id, "planned" if end.due_at else "skipped", end.reason, end.due_at) for end in ends]
        await self._store.columns(work.connection, "settle", rows, now)
        await self._fall_over.of(work, [end.notice for end in ends if end.falls_over], now)


def _counts(spent: Mapping[Spend, int]) -> tuple[int, int, int]:
    return spent["soon"], spent["assigned"], spent["day_ahead"]


def _allowed(row: Row, now: datetime) -> tuple[int, float]:
    """How many parcels the provider takes now, and seconds until it takes the next ones."""
    if row["paused_until"] is not None and row["paused_until"] > now:
        return 0, (row["paused_until"] - now).total_seconds()
    window = max(WINDOW_S, 1.0 / row["rate"])
    ahead = max(0.0, (row["free_at"] - now).total_seconds())
    free = int((window - ahead) * row["rate"] + 1e-6)
    return free, max(1.0 / row["rate"], ahead - window / 2, 0.02)


def _stands_in_the_way(one: Claimed, who: Recipient, now: datetime) -> _End | None:
    if not who.active:
        return _End(one, "recipient_gone")
    unsubscribed = one.channel == "email" and not who.addressee.reminders_by_mail and one.kind.startswith("reminder_")
    if unsubscribed and "email" not in channels_for(one.kind, who.addressee):
        return _End(one, "unsubscribed")
    if one.kind == "reminder_day":
        until = quiet_until(now.astimezone(ZoneInfo(who.zone)), who.quiet_from, who.quiet_to)
        if until is not None and until < one.useless_at:
            return _End(one, "quiet_hours", until)
    return None


def _address(one: Claimed, who: Recipient) -> str | None:
    match one.channel:
        case "email":
            return who.email
        case "sms":
            return who.mobile
        case "in_app":
            return "in_app"


def claimed_of(row: Row) -> Claimed:
    """From a row that has the columns of `due`."""
    return Claimed(
        id=row["id"],
        fair=row["fair_id"],
        subject=row["subject"],
        subject_id=row["subject_id"],
        kind=row["kind"],
        recipient=row["recipient_id"],
        side=row["side"],
        channel=row["channel"],
        time_revision=row["time_revision"],
        assignment=row["assignment"],
        due_at=row["due_at"],
        useless_at=row["useless_at"],
        attempts=row["attempts"],
        maybe_duplicate=row["maybe_duplicate"],
    )
