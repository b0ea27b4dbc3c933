"""VTIMEZONE from the IANA data (M12, M14; RFC 5545 §3.6.5): what a calendar needs to turn fair time into its own.

Transitions are found in UTC and told as §3.6.5 wants them, an onset by the clock that it ends: 02:00 in Berlin's spring.
(icalendar's own builder walks local time and is an hour late there.) Those that follow a yearly rule within the span become an
RRULE; the others, such as Morocco's, stand as a component each, since not every calendar reads RDATE here.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["timezone_lines"]

YEARS_BEFORE: Final = 1
YEARS_AFTER: Final = 3
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_STEP: Final = timedelta(days=7)  # two changes closer than this have not been seen since 2011
_LOCAL: Final = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class _Offset:
    """How clocks stand."""

    shift: timedelta
    name: str
    summer: bool


@dataclass(frozen=True, slots=True)
class _Observance:
    """From one way that clocks stand to another: what onsets share."""

    before: timedelta
    after: _Offset


def timezone_lines(zone: str, year: int) -> tuple[str, ...]:
    """The component for events of `year` and a few around it, in lines."""
    info = ZoneInfo(zone)
    start, end = (datetime(at, 1, 1, tzinfo=UTC) for at in (year - YEARS_BEFORE, year + YEARS_AFTER + 1))
    first = _offset(info, start)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone}"]
    opening = start.replace(tzinfo=None) + first.shift if first.summer else datetime(1970, 1, 1)  # noqa: DTZ001 — local, as written
    lines += _component(_Observance(first.shift, first), opening)
    onsets: dict[_Observance, list[datetime]] = {}
    for at, before, after in _transitions(info, start, end):
        onsets.setdefault(_Observance(before.shift, after), []).append(at.replace(tzinfo=None) + before.shift)
    for observance, dates in onsets.items():
        rule = _yearly(dates, end.year)
        for onset in dates[:1] if rule else dates:
            lines += _component(observance, onset, rule)
    return (*lines, "END:VTIMEZONE")


def _transitions(info: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, _Offset, _Offset]]:
    at, before = start, _offset(info, start)
    while at < end:
        later = min(at + _STEP, end)
        after = _offset(info, later)
        if after != before:
            low, high = at, later  # before, after
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if _offset(info, middle) == before else (low, middle)
            yield high, before, after
        at, before = later, after


def _offset(info: ZoneInfo, at: datetime) -> _Offset:
    local = at.astimezone(info)
    return _Offset(local.utcoffset() or timedelta(), local.tzname() or "", (local.dst() or timedelta()) > timedelta())


def _component(observance: _Observance, onset: datetime, rule: str | None = None) -> list[str]:
    kind = "DAYLIGHT" if observance.after.summer else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{onset.strftime(_LOCAL)}",
        *([rule] if rule else []),
        f"TZOFFSETFROM:{_written(observance.before)}",
        f"TZOFFSETTO:{_written(observance.after.shift)}",
        f"TZNAME:{observance.after.name}",
        f"END:{kind}",
    ]


def _yearly(onsets: Sequence[datetime], until: int) -> str | None:
    """The rule, if there is one that goes on to the end of the span."""
    first, years = onsets[0], [at.year for at in onsets]
    alike = len({(at.month, at.time(), at.weekday()) for at in onsets}) == 1
    if not alike or len(years) == 1 or years != list(range(years[0], until)):
        return None
    if all(at.day + 7 > monthrange(at.year, at.month)[1] for at in onsets):
        week = -1
    else:
        weeks = {(at.day - 1) // 7 + 1 for at in onsets}
        if len(weeks) > 1:
            return None
        week = weeks.pop()
    return f"RRULE:FREQ=YEARLY;BYMONTH={first.month};BYDAY={week}{_WEEKDAYS[first.weekday()]}"


def _written(shift: timedelta) -> str:
    seconds = int(shift.total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    return f"{'-' if seconds < 0 else '+'}{hours:02}{rest // 60:02}"
