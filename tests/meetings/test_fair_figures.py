"""The organiser's view of the fair's bookings: numbers by state and day, and nothing of what was said (A4, M5, M6)."""

from __future__ import annotations

from fairwire_protocol.operations.bookings import BookingCounts
from tests.meetings.agenda import DAY, Agenda


async def test_bookings_are_counted_by_state_and_day_in_the_fair_s_zone_m5_a4(agenda: Agenda) -> None:
    ground = agenda.running.ground
    first, second, later = await agenda.slot(2), await agenda.slot(4), await agenda.slot(48 + 40)
    one = await agenda.book("buyer", first, topic="not the organiser's business")
    await agenda.book("buyer", second)
    two = await agenda.book("buyer2", first)
    await agenda.book("buyer2", later)
    await agenda.call(
        "main", "bookings.assign", booking=one.booking, receiver=ground["sales"].id, confirm_unreachable=True
    )
    await agenda.call("main", "bookings.reject", booking=two.booking, reason="full")
    figures = await agenda.call("organiser", "organiser.bookings")
    assert figures.counts == BookingCounts(all=4, pending=2, assigned=1, rejected=1, cancelled=0)
    assert (figures.overdue, figures.attended, figures.no_show) == (0, 0, 0)
    # 20:00 UTC of the second day is the third day's early morning in Shanghai
    assert len(figures.days) == 2
    assert [(day.pending, day.assigned, day.rejected) for day in figures.days] == [(1, 1, 1), (1, 0, 0)]
    within = await agenda.call("organiser", "organiser.bookings", since=agenda.at(0), until=agenda.at(0) + DAY)
    assert within.counts.all == 3
    none = await agenda.call("organiser", "organiser.bookings", until=agenda.at(0))
    assert none.counts == BookingCounts()


async def test_a_pending_booking_is_soon_and_then_overdue_m6(agenda: Agenda) -> None:
    slot = await agenda.slot(0)
    await agenda.book("buyer", slot)
    figures = await agenda.call("organiser", "organiser.bookings")
    assert (figures.soon, figures.overdue) == (1, 0)
