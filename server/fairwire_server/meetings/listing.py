"""Bookings as they are looked at: the list with its counters, one booking, who may receive it, the schedule (A7, M2, M5, M15, K2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import Booking, Person
from fairwire_protocol.operations import bookings as operations
from fairwire_protocol.operations import organiser
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import milliseconds, moment
from fairwire_server.context import Context
from fairwire_server.database.pool import Row
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.records import BookingFact
from fairwire_server.meetings.rules import check_visible, is_overdue, receives_meetings, unreachable
from fairwire_server.meetings.shapes import booking_of

__all__ = ["BookingViews"]

SCHEDULE_MAX: Final = timedelta(days=62)
SCHEDULE_DEFAULT: Final = timedelta(days=7)
MEETINGS_MAX: Final = 1000
DAYS_MAX: Final = 366
_STATES: Final = ("pending", "assigned", "rejected", "cancelled")


class BookingViews:
    """Handlers that only read."""

    def __init__(self, works: Works, store: BookingStore) -> None:
        self._works = works
        self._store = store

    async def list(self, caller: Caller, _: Context, request: operations.ListBookings) -> operations.BookingList:
        """M5: within the account's scope, the newest request first."""
        async with self._works.read() as work:
            rows = await self._store.fetch(
                work.connection,
                "list_bookings",
                caller.account,
                caller.exhibitor,
                caller.sees_bookings(),
                _instant(request.since, "since"),
                _instant(request.until, "until"),
                None if request.country is None else request.country.upper(),
                request.section,
                request.receiver,
                request.overdue,
                work.now,
                request.state,
                _cursor(request.after),
                request.limit + 1,
                _receiving(caller),
            )
        page = [row for row in rows if row["id"] is not None][: request.limit]
        return operations.BookingList(
            bookings=tuple(_listed(row, caller, work.now) for row in page),
            counts=operations.BookingCounts(
                **{name: rows[0][name] for name in operations.BookingCounts.__struct_fields__}
            ),
            next=str(page[-1]["id"]) if len(rows) > request.limit else None,
        )

    async def of_fair(self, caller: Caller, _: Context, request: organiser.CountBookings) -> organiser.BookingFigures:
        """A4: the fair's bookings in numbers; what they are about is not the organiser's."""
        since, until = _instant(request.since, "since"), _instant(request.until, "until")
        async with self._works.read() as work:
            rows = await self._store.fetch(work.connection, "fair_bookings", caller.fair, since, until, work.now)
        total = {name: sum(row[name] for row in rows) for name in (*_STATES, "overdue", "soon", "attended", "no_show")}
        states = {name: total.pop(name) for name in _STATES}
        return organiser.BookingFigures(
            counts=operations.BookingCounts(all=sum(states.values()), **states),
            **total,
            days=tuple(
                organiser.BookingDay(day=row["day"], **{name: row[name] for name in _STATES}) for row in rows[:DAYS_MAX]
            ),
        )

    async def show(self, caller: Caller, _: Context, request: operations.BookingRef) -> operations.BookingDetail:
        """One booking, and who has received it."""
        async with self._works.read() as work:
            fact = await self._visible(work, caller, request.booking)
            booking = (await self._store.shown(work.connection, [fact.id]))[fact.id]
            if caller.side == "buyer":
                return operations.BookingDetail(booking=booking)
            rows = await self._store.fetch(work.connection, "receivers", fact.id)
            some_free = any(one.free for one in await self._candidates(work, caller, fact))
        waits = booking.state == "pending" and fact.ends_at > work.now
        return operations.BookingDetail(
            booking=booking,
            overdue=is_overdue(booking.state, fact.ends_at, work.now),
            no_receiver_free=waits and not some_free,
            receivers=tuple(map(_record, rows)),
        )

    async def receivers(self, caller: Caller, _: Context, request: operations.BookingRef) -> operations.Receivers:
        """M6, A8: whom to assign it to."""
        async with self._works.read() as work:
            fact = await self._visible(work, caller, request.booking)
            found = await self._candidates(work, caller, fact)
        return operations.Receivers(receivers=tuple(sorted(found, key=lambda one: not one.free)))

    async def schedule(self, caller: Caller, _: Context, request: operations.ShowSchedule) -> operations.Schedule:
        """M15: by day of the fair, then by account."""
        async with self._works.read() as work:
            since = _instant(request.since, "since") or work.now
            until = _instant(request.until, "until") or since + SCHEDULE_DEFAULT
            if not timedelta() <= until - since <= SCHEDULE_MAX:
                raise Refused("invalid", f"At most {SCHEDULE_MAX.days} days.", field="until")
            whose = caller.account if request.whose == "mine" else request.account
            args = (caller.account, caller.exhibitor, caller.sees_bookings(), since, until, whose, MEETINGS_MAX + 1)
            rows = await self._store.fetch(work.connection, "schedule", *args)
        return _schedule(rows)

    async def _visible(self, work: Work, caller: Caller, booking: UUID) -> BookingFact:
        fact = await self._store.find(work.connection, booking)
        own = await self._store.own(work.connection, [booking])
        return check_visible(caller, fact, own[booking])

    async def _candidates(self, work: Work, caller: Caller, booking: BookingFact) -> Sequence[operations.Receiver]:
        team = await self._store.team_receivers(work.connection, booking.exhibitor)
        able = [one for one in team if receives_meetings(one.kind, one.state, caller.table)]
        args = ([one.id for one in able], booking.id, booking.starts_at, booking.ends_at)
        busy = {row["receiver_id"] for row in await self._store.fetch(work.connection, "busy", *args)}
        return [
            operations.Receiver(
                account=Person(id=one.id, name=one.name),
                kind=one.kind,
                free=one.id not in busy,
                current=booking.state == "assigned" and one.id == booking.receiver,
                unreachable=unreachable(one),
            )
            for one in able
        ]


def _receiving(caller: Caller) -> list[str]:
    return [kind for kind in caller.table if receives_meetings(kind, "active", caller.table)]  # type: ignore[arg-type]


def _listed(row: Row, caller: Caller, now: datetime) -> operations.ListedBooking:
    booking = booking_of(row["body"])
    overdue = is_overdue(booking.state, moment(booking.ends_at), now)
    stuck = row["no_receiver_free"] and caller.side == "team"
    return operations.ListedBooking(booking=booking, overdue=overdue, no_receiver_free=stuck)


def _record(row: Row) -> operations.ReceiverRecord:
    return operations.ReceiverRecord(
        receiver=Person(id=row["account_id"], name=row["name"]),
        by=Person(id=row["by_id"], name=row["by_name"]),
        at=milliseconds(row["at"]),
        assignment=row["assignment"],
    )


def _schedule(rows: Sequence[Row]) -> operations.Schedule:
    """Grouped; where there are too many, the last day, which may be cut short, is left out, unless it is the only one."""
    days: dict[str, dict[Person, list[Booking]]] = {}
    for row in rows[:MEETINGS_MAX]:
        booking = booking_of(row["body"])
        day = moment(booking.starts_at).astimezone(ZoneInfo(row["time_zone"])).date().isoformat()
        account = Person(id=row["account_id"], name=row["name"])
        days.setdefault(day, {}).setdefault(account, []).append(booking)
    more = len(rows) > MEETINGS_MAX
    if more and len(days) > 1:
        days.popitem()
    return operations.Schedule(
        days=tuple(
            operations.ScheduleDay(day=day, account=account, meetings=tuple(meetings))
            for day, accounts in days.items()
            for account, meetings in sorted(accounts.items(), key=lambda item: (item[0].name, item[0].id))
        ),
        more=more,
    )


def _instant(ms: int | None, field: str) -> datetime | None:
    if ms is None:
        return None
    try:
        return moment(ms)
    except (ValueError, OverflowError, OSError):
        raise Refused("invalid", "That instant is out of range.", field=field) from None


def _cursor(after: str | None) -> UUID | None:
    if after is None:
        return None
    try:
        return msgspec.convert(after, UUID)
    except msgspec.ValidationError:
        raise Refused("invalid", "Not a cursor that this server gave.", field="after") from None
