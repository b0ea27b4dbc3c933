"""How days are cut into slots (M1), how many meetings fit (M2): examples and properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.rules import DEFAULT
from fairwire_server.meetings.slot_rules import (
    HALF_HOUR,
    Seats,
    capacity_of,
    check_slot_time,
    check_unused,
    cut,
    days,
    instant_of,
    slot_state,
)  # fmt: skip

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = st.sampled_from(
    ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Kiritimati", "Asia/Kathmandu",
     "America/St_Johns", "Africa/Casablanca", "America/Santiago", "UTC"]
)  # fmt: skip
TIMES = st.integers(0, 96).map(lambda quarters: f"{quarters // 4:02}:{quarters % 4 * 15:02}")


@given(ZONES, st.dates(date(2024, 1, 1), date(2027, 12, 31)), TIMES, TIMES, st.integers(5, 480))
def test_slots_start_on_the_half_hour_last_as_asked_lie_within_and_never_overlap_m1(
    zone_name: str, day: date, start: str, end: str, minutes: int
) -> None:
    zone = ZoneInfo(zone_name)
    spans = list(cut(day, start, end, minutes, zone))
    for span in spans:
        local = span.starts_at.astimezone(zone)
        assert (local.minute % 30, local.second, local.microsecond) == (0, 0, 0)
        assert span.ends_at - span.starts_at == timedelta(minutes=minutes)
        assert instant_of(day, start, zone) <= span.starts_at
        assert span.ends_at <= instant_of(day, end, zone)
    for one, next_ in pairwise(spans):
        assert one.ends_at <= next_.starts_at < one.ends_at + HALF_HOUR  # and no room for a half hour is left unused


@pytest.mark.parametrize(
    ("zone", "day", "count"),
    [
        ("Asia/Shanghai", date(2026, 6, 16), 48),
        ("America/New_York", date(2026, 3, 8), 46),  # 23 hours
        ("America/New_York", date(2026, 11, 1), 50),  # 25 hours
        ("Australia/Lord_Howe", date(2026, 4, 5), 49),  # half an hour longer
        ("Australia/Lord_Howe", date(2026, 10, 4), 47),
        ("Africa/Cairo", date(2026, 4, 24), 46),  # the day begins at 01:00
    ],
)
def test_a_whole_day_has_as_many_half_hours_as_it_lasts_m1(zone: str, day: date, count: int) -> None:
    assert len(list(cut(day, "00:00", "24:00", 30, ZoneInfo(zone)))) == count


def test_the_last_slot_may_end_at_24_00_m1() -> None:
    *_, last = cut(date(2020, 6, 16), "23:00", "24:00", 30, ZoneInfo("Asia/Shanghai"))
    assert last.ends_at.astimezone(ZoneInfo("Asia/Shanghai")).isoformat() == "2020-06-17T00:00:00+08:00"


def test_a_time_that_the_clocks_leave_out_and_one_they_repeat_m1() -> None:
    zone = ZoneInfo("America/New_York")
    assert instant_of(date(2026, 3, 8), "02:30", zone) == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert instant_of(date(2026, 11, 1), "01:30", zone) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_longer_slots_wait_for_the_next_half_hour_m1() -> None:
    spans = list(cut(date(2026, 6, 16), "09:10", "12:00", 45, ZoneInfo("UTC")))
    assert [span.starts_at.strftime("%H:%M") for span in spans] == ["09:30", "10:30"]


@pytest.mark.parametrize(
    ("starts_at", "zone", "code"),
    [
        (NOW + timedelta(hours=1), "UTC", "ok"),
        (NOW + timedelta(hours=1, minutes=15), "UTC", "invalid"),
        (NOW + timedelta(hours=1, minutes=15), "Asia/Kathmandu", "ok"),  # 07:00 there
        (NOW + timedelta(hours=1, seconds=1), "UTC", "invalid"),
        (NOW, "UTC", "slot_over"),
        (NOW - timedelta(hours=1), "UTC", "slot_over"),
        (NOW + timedelta(days=2000), "UTC", "invalid"),
    ],
)
def test_one_slot_begins_on_the_half_hour_and_in_the_future_m1(starts_at: datetime, zone: str, code: str) -> None:
    found = "ok"
    try:
        check_slot_time(starts_at, 30, ZoneInfo(zone), NOW)
    except Refused as refused:
        found = refused.code
    assert found == code


def test_a_range_of_days_is_bounded_and_runs_forward_m1() -> None:
    assert len(list(days(date(2026, 3, 1), date(2026, 3, 10), NOW))) == 10
    for first, last in (
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2026, 3, 1), date(9999, 12, 31)),
        (date(1, 1, 1), date(2026, 3, 1)),
    ):
        with pytest.raises(Refused):
            days(first, last, NOW)


def test_capacity_counts_active_accounts_or_receivers_only_m2() -> None:
    active = {"main": 1, "business": 3, "exhibit": 2}
    assert capacity_of(active, DEFAULT, receivers_only=False) == 6
    assert capacity_of(active, DEFAULT, receivers_only=True) == 4


@given(*[st.integers(0, 9)] * 6)
def test_free_seats_are_never_negative_and_those_in_line_come_first_m2_m13(
    capacity: int, pending: int, assigned: int, proposed: int, offered: int, waiting: int
) -> None:
    seats = Seats(pending=pending, assigned=assigned, proposed=proposed, offered=offered, waiting=waiting)
    free = seats.free(capacity)
    assert free >= 0
    assert free == 0 or free + seats.taken + waiting == capacity


@pytest.mark.parametrize("used", ["pending", "assigned", "proposed"])
def test_a_slot_in_use_is_not_touched_m3(used: str) -> None:
    with pytest.raises(Refused, match="slot_has_bookings"):
        check_unused(Seats(**{used: 1}))
    check_unused(Seats(ever=3, waiting=1))


def test_not_started_under_way_ended_m3() -> None:
    start, end = NOW, NOW + HALF_HOUR
    instants = (NOW - timedelta(seconds=1), NOW, end - timedelta(seconds=1), end)
    assert [slot_state(start, end, at) for at in instants] == ["not_started", "under_way", "under_way", "ended"]
