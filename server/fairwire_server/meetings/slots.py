"""Slots (洽谈时段): an exhibitor plans them one by one or in a batch, sees who has booked, and buyers see which are open (M1–M3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fairwire_protocol.errors import Refused
from fairwire_protocol.operations import slots as operations
from fairwire_protocol.operations.base import Empty
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.rules import Caller
from fairwire_server.clock import milliseconds, moment
from fairwire_server.context import Context
from fairwire_server.database.errors import ConstraintViolated
from fairwire_server.database.work import Work, Works
from fairwire_server.meetings.slot_rules import (
    Seats,
    Span,
    capacity_of,
    check_slot_time,
    check_unused,
    cut,
    days,
    instant_of,
    parse_day,
    slot_state,
)  # fmt: skip
from fairwire_server.meetings.slot_store import Frame, SlotFact, SlotStore
from fairwire_server.meetings.waiting_store import WaitingStore
from fairwire_server.streams.service import Streams

__all__ = ["Slots"]


class Slots:
    """Handlers of `slots.*`. `batch_max`: slots that one batch may plan."""

    def __init__(
        self,
        works: Works,
        commands: Commands,
        store: SlotStore,
        places: WaitingStore,
        streams: Streams,
        *,
        batch_max: int,
    ) -> None:
        self._works = works
        self._commands = commands
        self._store = store
        self._places = places
        self._streams = streams
        self._batch_max = batch_max

    async def create(self, caller: Caller, context: Context, request: operations.CreateSlot) -> operations.SlotReply:
        """M1: one slot; `slot_taken` if another overlaps."""

        async def apply(work: Work, caller: Caller) -> operations.SlotReply:
            frame = await self._own_frame(work, caller)
            span = check_slot_time(moment(request.starts_at), request.minutes, ZoneInfo(frame.zone), work.now)
            made, _ = await self._insert(work, caller, [span])
            if not made:
                raise Refused("slot_taken")
            return _reply(caller, frame, made[span.starts_at], span, Seats(), work.now)

        return await self._commands.run(operations.CREATE, caller, context, request, apply)

    async def create_batch(
        self, caller: Caller, context: Context, request: operations.CreateSlots
    ) -> operations.SlotsCreated:
        """M1: what is there already is kept; it, and what lies in the past, is reported."""
        first, last = parse_day(request.first, "first"), parse_day(request.last, "last")

        async def apply(work: Work, caller: Caller) -> operations.SlotsCreated:
            frame = await self._own_frame(work, caller)
            spans = self._planned(request, first, last, ZoneInfo(frame.zone), work.now)
            future = [span for span in spans if span.starts_at > work.now]
            made, alike = await self._insert(work, caller, future)

            def skipped(span: Span) -> operations.SkippedSlot:
                there = "exists" if span.starts_at in alike else "overlaps"
                return operations.SkippedSlot(
                    starts_at=milliseconds(span.starts_at),
                    ends_at=milliseconds(span.ends_at),
                    reason="past" if span.starts_at <= work.now else there,  # type: ignore[arg-type]
                )

            return operations.SlotsCreated(
                created=len(made), skipped=tuple(skipped(span) for span in spans if span.starts_at not in made)
            )

        return await self._commands.run(operations.CREATE_BATCH, caller, context, request, apply)

    def _planned(
        self, request: operations.CreateSlots, first: date, last: date, zone: ZoneInfo, now: datetime
    ) -> list[Span]:
        if request.end <= request.start:
            raise Refused("invalid", "The end comes before the start.", field="end")
        spans: list[Span] = []
        for day in days(first, last, now):
            spans.extend(cut(day, request.start, request.end, request.minutes, zone))
            if len(spans) > self._batch_max:
                message = f"A batch plans at most {self._batch_max} slots."
                raise Refused("invalid", message, field="last", detail={"limit": self._batch_max})
        return spans

    async def _insert(
        self, work: Work, caller: Caller, spans: Sequence[Span]
    ) -> tuple[dict[datetime, UUID], set[datetime]]:
        if not spans:
            return {}, set()
        assert caller.exhibitor is not None
        return await self._store.insert(work.connection, caller.fair, caller.exhibitor, spans, caller.account, work.now)

    async def list(self, caller: Caller, _: Context, request: operations.ListSlots) -> operations.SlotList:
        """M3: by time, with bookings counted."""
        async with self._works.read() as work:
            frame = await self._own_frame(work, caller)
            assert caller.exhibitor is not None
            between = _between(request.first, request.last, ZoneInfo(frame.zone))
            page = await self._store.page(
                work.connection,
                caller.exhibitor,
                between,
                _after(request.after),
                request.state,
                work.now,
                request.limit,
            )
            seats = await self._store.seats(work.connection, [slot for slot, _ in page], work.now)
        return operations.SlotList(
            slots=tuple(_slot(slot, span, seats[slot], work.now, _receivers(caller, frame)) for slot, span in page),
            capacity=_capacity(caller, frame),
            next=_next(page, request.limit),
        )

    async def edit(self, caller: Caller, context: Context, request: operations.EditSlot) -> operations.SlotReply:
        """M3: another time for a slot without live bookings that has not begun."""

        async def apply(work: Work, caller: Caller) -> operations.SlotReply:
            frame = await self._own_frame(work, caller)
            slot = _own(caller, (await self._store.lock(work.connection, [request.slot])).get(request.slot))
            if slot.starts_at <= work.now:
                raise Refused("slot_over")
            seats = (await self._store.seats(work.connection, [slot.id], work.now))[slot.id]
            check_unused(seats)
            minutes = request.minutes or int((slot.ends_at - slot.starts_at) / timedelta(minutes=1))
            starts_at = slot.starts_at if request.starts_at is None else moment(request.starts_at)
            span = check_slot_time(starts_at, minutes, ZoneInfo(frame.zone), work.now)
            told = await self._places.close_of_slot(work, slot.id)  # they waited for the time that it had
            await self._store.move(work.connection, slot.id, span)
            await self._streams.append(work, told)
            return _reply(caller, frame, slot.id, span, seats, work.now)

        try:
            return await self._commands.run(operations.EDIT, caller, context, request, apply)
        except ConstraintViolated as violated:
            if violated.name != "slot_no_overlap":
                raise
            raise Refused("slot_taken") from violated

    async def withdraw(self, caller: Caller, context: Context, request: operations.SlotRef) -> Empty:
        """M3: only without live bookings; what had bookings is kept in the database."""

        async def apply(work: Work, caller: Caller) -> Empty:
            slot = _own(caller, await self._store.lock_whole(work.connection, request.slot))
            check_unused((await self._store.seats(work.connection, [slot.id], work.now))[slot.id])
            told = await self._places.close_of_slot(work, slot.id)
            await self._store.withdraw(work.connection, slot.id, work.now)
            await self._streams.append(work, told)
            return Empty()

        return await self._commands.run(operations.WITHDRAW, caller, context, request, apply)

    async def open(self, caller: Caller, _: Context, request: operations.OpenSlots) -> operations.OpenSlotList:
        """M4, M12: what has not begun, in fair time and own time; the team sees its own exhibitor's as buyers do."""
        if caller.side == "team" and caller.exhibitor != request.exhibitor:
            raise Refused("not_found")
        async with self._works.read() as work:
            frame = await self._store.frame(work.connection, request.exhibitor, caller.fair, caller.account)
            if frame is None:
                raise Refused("not_found")
            fair_zone = ZoneInfo(frame.zone)
            own_zone = fair_zone if frame.own_zone is None else ZoneInfo(frame.own_zone)
            if request.time_zone is not None:
                own_zone = _zone(request.time_zone)
            between = _between(request.first, request.last, fair_zone)
            page = await self._store.page(
                work.connection,
                request.exhibitor,
                between,
                _after(request.after),
                "not_started",
                work.now,
                request.limit,
            )
            seats = await self._store.seats(work.connection, [slot for slot, _ in page], work.now)
        capacity = _capacity(caller, frame)
        in_fair, in_own = _Shown(fair_zone), _Shown(own_zone)
        return operations.OpenSlotList(
            slots=tuple(_open_slot(slot, span, seats[slot].free(capacity), in_fair, in_own) for slot, span in page),
            fair_zone=fair_zone.key,
            own_zone=own_zone.key,
            next=_next(page, request.limit),
        )

    async def _own_frame(self, work: Work, caller: Caller) -> Frame:
        assert caller.exhibitor is not None
        frame = await self._store.frame(work.connection, caller.exhibitor, caller.fair, caller.account)
        assert frame is not None
        return frame


def _own(caller: Caller, slot: SlotFact | None) -> SlotFact:
    """A1: somebody else's slot is as one that is not there, and so is a withdrawn one."""
    if slot is None or slot.exhibitor != caller.exhibitor or slot.withdrawn:
        raise Refused("not_found")
    return slot


def _capacity(caller: Caller, frame: Frame) -> int:
    return capacity_of(frame.active, caller.table, receivers_only=frame.settings.receivers_only)


def _receivers(caller: Caller, frame: Frame) -> int:
    return capacity_of(frame.active, caller.table, receivers_only=True)


def _between(first: str | None, last: str | None, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """From the beginning of the first day to the end of the last."""
    try:
        return (
            None if first is None else instant_of(parse_day(first, "first"), "00:00", zone),
            None if last is None else instant_of(parse_day(last, "last"), "24:00", zone),
        )
    except OverflowError:
        raise Refused("invalid", "There is no such day.", field="last") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused("invalid", "There is no such time zone.", field="time_zone") from None


def _after(cursor: str | None) -> datetime | None:
    """Two slots of an exhibitor never start together, so a page ends at a time."""
    if cursor is None:
        return None
    try:
        return moment(int(cursor))
    except (ValueError, OverflowError, OSError):
        raise Refused("invalid", "This is not what `next` told.", field="after") from None


def _next(page: Sequence[tuple[UUID, Span]], limit: int) -> str | None:
    return str(milliseconds(page[-1][1].starts_at)) if len(page) == limit else None


def _slot(slot: UUID, span: Span, seats: Seats, now: datetime, receivers: int) -> operations.Slot:
    return operations.Slot(
        id=slot,
        starts_at=milliseconds(span.starts_at),
        ends_at=milliseconds(span.ends_at),
        state=slot_state(*span, now),
        pending=seats.pending,
        assigned=seats.assigned,
        ever=seats.ever,
        taken=seats.taken,
        unserved=seats.unserved(receivers),
        waiting=seats.waiting,
    )


def _reply(caller: Caller, frame: Frame, slot: UUID, span: Span, seats: Seats, now: datetime) -> operations.SlotReply:
    return operations.SlotReply(
        slot=_slot(slot, span, seats, now, _receivers(caller, frame)), capacity=_capacity(caller, frame)
    )


class _Shown(dict[datetime, str]):
    """Instants in one zone as a page shows them; most slots begin when another one ends."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, at: datetime) -> str:
        shown = self[at] = at.astimezone(self._zone).isoformat(timespec="minutes")
        return shown


def _open_slot(slot: UUID, span: Span, free: int, fair: _Shown, own: _Shown) -> operations.OpenSlot:
    return operations.OpenSlot(
        id=slot,
        starts_at=milliseconds(span.starts_at),
        ends_at=milliseconds(span.ends_at),
        free=free,
        fair_start=fair[span.starts_at],
        fair_end=fair[span.ends_at],
        own_start=own[span.starts_at],
        own_end=own[span.ends_at],
    )
