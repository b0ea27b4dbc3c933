"""Bookings as they are looked at: filters, counters, scopes, pages, the schedule (A7, M5, M15, K2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fairwire_server.clock import milliseconds
from tests.meetings.booth import Booth


async def assign(booth: Booth, booking: UUID, to: str) -> None:
    args: dict[str, Any] = {"booking": booking, "receiver": booth.running.ground[to].id, "confirm_unreachable": True}
    await booth.desk.call("main", "bookings.assign", **args)


async def listed(booth: Booth, who: str, **filters: Any) -> list[UUID]:
    reply = await booth.desk.call(who, "bookings.list", **filters)
    return [one.booking.id for one in reply.bookings]


async def five(booth: Booth) -> dict[str, UUID]:
    """Bookings of acme in every state, one of them received by sales and then by sales2; and one of the rival's."""
    slots = [await booth.slot(hours) for hours in (30, 31, 32, 33)]
    found = {
        "pending": await booth.booking(slots[0]),
        "assigned": await booth.booking(slots[1], "buyer2"),
        "rejected": await booth.booking(slots[2]),
        "cancelled": await booth.booking(slots[3]),
        "rival": await booth.booking(await booth.slot(40, "rival"), exhibitor="rival"),
    }
    await assign(booth, found["assigned"], "sales")
    await assign(booth, found["assigned"], "sales2")
    await booth.desk.call("main", "bookings.reject", booking=found["rejected"], reason="no")
    await booth.desk.call("buyer", "bookings.cancel", booking=found["cancelled"], reason="no")
    return found


async def test_scopes_of_the_list_a7(booth: Booth) -> None:
    found = await five(booth)
    acme = [found[name] for name in ("cancelled", "rejected", "assigned", "pending")]
    assert await listed(booth, "main") == await listed(booth, "manager") == acme
    assert await listed(booth, "sales") == await listed(booth, "sales2") == [found["assigned"]]
    assert await listed(booth, "buyer") == [found[name] for name in ("rival", "cancelled", "rejected", "pending")]
    assert await listed(booth, "rival") == [found["rival"]]
    assert await listed(booth, "rival_sales") == await listed(booth, "far_main") == []


async def test_counters_are_over_the_filter_without_its_state_m5(booth: Booth) -> None:
    found = await five(booth)
    reply = await booth.desk.call("main", "bookings.list", state="pending", limit=1)
    assert [one.booking.id for one in reply.bookings] == [found["pending"]]
    assert msgspec.to_builtins(reply.counts) == {
        "all": 4, "pending": 1, "assigned": 1, "rejected": 1, "cancelled": 1,
    }  # fmt: skip
    since = milliseconds(booth.now + timedelta(hours=30, minutes=30))
    reply = await booth.desk.call("main", "bookings.list", since=since)
    assert (reply.counts.all, reply.counts.pending) == (3, 0)
    assert await listed(booth, "main", until=since) == [found["pending"]]


async def test_filters_by_country_section_and_receiver_m5(booth: Booth) -> None:
    found, buyer2 = await five(booth), booth.running.ground["buyer2"].id
    section = await booth.section("摩托车")
    async with booth.running.node.works.begin() as work:
        await work.connection.execute(booth.sql["describe_buyer"], buyer2, "DE", ["摩托车"])
    assert await listed(booth, "main", country="de") == [found["assigned"]]
    assert await listed(booth, "main", section=section) == [found["assigned"]]
    assert await listed(booth, "main", receiver=booth.running.ground["sales2"].id) == [found["assigned"]]
    assert await listed(booth, "main", receiver=booth.running.ground["sales"].id) == []


async def test_pages_follow_each_other_to_the_end(booth: Booth) -> None:
    await five(booth)
    seen, after = list[UUID](), None
    for _ in range(4):
        reply = await booth.desk.call("main", "bookings.list", limit=1, after=after)
        seen += [one.booking.id for one in reply.bookings]
        after = reply.next
    assert after is None
    assert seen == await listed(booth, "main")
    assert await booth.desk.code("main", "bookings.list", after="nonsense") == "invalid"


async def test_a_booking_shows_the_buyer_by_interests_and_country_alone_m5_k2(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    [one] = (await booth.desk.call("main", "bookings.list")).bookings
    assert msgspec.to_builtins(one.booking.buyer) == {
        "id": str(booth.running.ground["buyer"].id), "name": "Buyer 先生", "country": "BR", "interests": ("motorcycles",),
    }  # fmt: skip
    await assign(booth, booking, "sales")  # which does not add to the base
    contact = (await booth.desk.call("main", "customers.show", buyer=booth.running.ground["buyer"].id)).contact
    assert not contact.in_base


async def test_my_schedule_and_everyones_by_account_and_day_m15(booth: Booth) -> None:
    ids = [await booth.booking(await booth.slot(hours), buyer) for hours, buyer in ((30, "buyer"), (31, "buyer2"))]
    await assign(booth, ids[0], "sales")
    await assign(booth, ids[1], "manager")
    pending = await booth.booking(await booth.slot(32))
    names = {booth.running.ground[who].id: who for who in ("main", "manager", "sales", "buyer")}

    async def schedule(who: str, **more: Any) -> list[tuple[str, UUID]]:
        reply = await booth.desk.call(who, "meetings.schedule", **more)
        return sorted((names[day.account.id], meeting.id) for day in reply.days for meeting in day.meetings)

    everyone = sorted([("sales", ids[0]), ("manager", ids[1])])
    assert await schedule("sales") == [("sales", ids[0])]
    assert await schedule("main") == []
    assert await schedule("main", whose="everyone") == everyone
    assert await schedule("sales", whose="everyone") == [("sales", ids[0])]
    assert await schedule("main", whose="everyone", account=booth.running.ground["manager"].id) == [("manager", ids[1])]
    assert await schedule("buyer") == sorted([("buyer", ids[0]), ("buyer", pending)])
    async with booth.running.node.works.begin() as work:
        main = booth.running.ground["main"].id
        await work.connection.execute(booth.sql["invite"], ids[0], main, work.now)
    assert await schedule("main") == [("main", ids[0])]
    assert await schedule("main", whose="everyone") == sorted([*everyone, ("main", ids[0])])


async def test_days_of_the_schedule_are_the_fairs_m12_m15(booth: Booth) -> None:
    """The test's fair is in Shanghai, eight hours ahead: an evening in UTC is the next day there."""
    start = (booth.now + timedelta(days=2)).replace(hour=17, minute=0, second=0, microsecond=0)
    booking = await booth.booking(await booth.slot((start - booth.now).total_seconds() / 3600))
    await assign(booth, booking, "sales")
    [day] = (await booth.desk.call("sales", "meetings.schedule")).days
    assert day.day == (start + timedelta(days=1)).date().isoformat()


@pytest.mark.parametrize("days", [-1, 63])
async def test_a_schedule_is_bounded(booth: Booth, days: int) -> None:
    since = milliseconds(booth.now)
    until = since + days * 86_400_000
    assert await booth.desk.code("main", "meetings.schedule", since=since, until=until) == "invalid"
