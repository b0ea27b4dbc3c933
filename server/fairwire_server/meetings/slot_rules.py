"""Decisions about slots: how days are cut into them, how many meetings fit into one, whether one may change (M1–M3). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fairwire_protocol.errors import Refused
from fairwire_protocol.operations.slots import SlotState
from fairwire_server.accounts.rules import Table

__all__ = [
    "HALF_HOUR", "Seats", "Span", "capacity_of", "check_slot_time", "check_unused", "cut", "days", "instant_of", "parse_day",
    "slot_state",
]  # fmt: skip

HALF_HOUR: Final = timedelta(minutes=30)
DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME_OF_DAY: Final = re.compile(r"[0-9]{2}:[0-9]{2}")
HORIZON: Final = timedelta(days=2 * 366)
"""Nobody plans further ahead; a slip in the year is refused."""


class Span(NamedTuple):
    """A slot that is planned, in UTC."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Seats:
    """What uses a slot's seats, and who stands in line for one (M2, M7, M13)."""

    pending: int = 0
    assigned: int = 0
    ever: int = 0
    proposed: int = 0
    offered: int = 0
    waiting: int = 0

    @property
    def taken(self) -> int:
        """Seats in use."""
        return self.pending + self.assigned + self.proposed + self.offered

    def free(self, capacity: int) -> int:
        """Seats for whoever comes now: those in line come first (M13). Never below 0, when capacity has shrunk (A6)."""
        return max(0, capacity - self.taken - self.waiting)

    def unserved(self, receivers: int) -> int:
        """M2: pending bookings for which none of so many receiving accounts is left: they stay pending, and this says so."""
        return min(self.pending, max(0, self.pending + self.assigned - receivers))


UNUSED: Final = Seats()


def parse_day(text: str, field: str) -> date:
    """A day of the calendar; refuses 2026-02-30."""
    try:
        if DAY.fullmatch(text) is None:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("invalid", "There is no such day.", field=field) from None


def days(first: date, last: date, now: datetime) -> Iterator[date]:
    """Every day from `first` to `last`; refuses a range that runs backwards or too far ahead."""
    if last < first:
        raise Refused("invalid", "The last day comes before the first.", field="last")
    if last > (now + HORIZON).date():
        raise Refused("invalid", "That is too far ahead.", field="last")
    if last - first > HORIZON:
        raise Refused("invalid", "That is too long ago.", field="first")
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def instant_of(day: date, at: str, zone: ZoneInfo) -> datetime:
    """The instant of a time of day. `24:00` is the next day's beginning; a time that a clock change leaves out is read with the
    offset before it, one that it repeats means the first (as RFC 5545 has it)."""
    if at == "24:00":
        day, at = day + timedelta(days=1), "00:00"
    return datetime.combine(day, _time_of_day(at), tzinfo=zone).astimezone(UTC)


def _time_of_day(text: str) -> time:
    try:
        if TIME_OF_DAY.fullmatch(text) is None:
            raise ValueError
        return time.fromisoformat(text)
    except ValueError:
        raise Refused("invalid", f"There is no such time of day: {text}.") from None


def cut(day: date, start: str, end: str, minutes: int, zone: ZoneInfo) -> Iterator[Span]:
    """M1: what lies between two times of a day as slots, each starting on a half hour of the zone's clocks.

    Cut by elapsed time: a day of 23 or 25 hours has two slots of half an hour fewer or more, and none overlap.
    """
    at, ends_at = instant_of(day, start, zone), instant_of(day, end, zone)
    length = timedelta(minutes=minutes)
    at = _next_half_hour(at, zone)
    while at + length <= ends_at:
        yield Span(at, at + length)
        at = _next_half_hour(at + length, zone)


def _next_half_hour(at: datetime, zone: ZoneInfo) -> datetime:
    local = at.astimezone(zone)
    past = timedelta(minutes=local.minute % 30, seconds=local.second, microseconds=local.microsecond)
    return at + (HALF_HOUR - past) if past else at


def check_slot_time(starts_at: datetime, minutes: int, zone: ZoneInfo, now: datetime) -> Span:
    """M1, M4: one slot, in the future and on the half hour; raises why not."""
    if starts_at > now + HORIZON:
        raise Refused("invalid", "That is too far ahead.", field="starts_at")
    if _next_half_hour(starts_at, zone) != starts_at:
        raise Refused("invalid", "A slot starts on the half hour in the fair's zone.", field="starts_at")
    if starts_at <= now:
        raise Refused("slot_over", "A slot begins in the future.", field="starts_at")
    return Span(starts_at, starts_at + timedelta(minutes=minutes))


def check_unused(seats: Seats) -> None:
    """M3: only a slot without live bookings may be edited or withdrawn; a proposal is one that may come (M7)."""
    if seats.pending or seats.assigned or seats.proposed:
        raise Refused("slot_has_bookings")


def capacity_of(active: Mapping[str, int], table: Table, *, receivers_only: bool) -> int:
    """M2: the exhibitor's active accounts, `active` by kind; those that may be receiving accounts, if the fair says so."""
    if not receivers_only:
        return sum(active.values())
    return sum(count for kind, count in active.items() if table.get(kind, {}).get("receive_meetings", "no") != "no")


def slot_state(starts_at: datetime, ends_at: datetime, now: datetime) -> SlotState:
    """M3: not started (未开始), under way (进行中), ended (已结束)."""
    if now < starts_at:
        return "not_started"
    return "under_way" if now < ends_at else "ended"
