"""What is planned, and taken back, in the transaction of a booking's change (N1–N4, N9, N10)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fairwire_server.meetings.records import Change
from tests.notices.draining import draining
from tests.notices.world import DAY, World

REMINDERS = {"reminder_day", "reminder_soon"}


def channels(planned: set[tuple[str, str]], kind: str) -> set[str]:
    return {channel for of, channel in planned if of == kind}


async def test_a_request_is_told_to_main_and_managers_in_the_app_n10(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    await world.request(team, buyer, world.clock.now() + 3 * DAY)
    for account in (team.main, team.manager):
        assert await world.planned(account) == {("pending_day", "in_app")}
        assert await world.ended(account, "requested") == [("in_app", "sent")], "told by the transaction itself"
        assert [heard.kind for heard in await world.heard(account)] == ["requested"]
    assert not await world.notices(team.sales)
    assert not await world.notices(buyer)
    assert world.hints == 0, "nothing is left for a worker"
    attempts = await world.fetch("SELECT number, provider, outcome, ended_at FROM notice_attempt")
    assert [tuple(row) for row in attempts] == [(1, "in_app", "sent", world.clock.now())] * 2


async def test_what_a_request_says_is_what_a_worker_would_say_n2(world: World) -> None:
    """Its words are made where it is made; those of the same notice planned again come from the booking's row."""
    team, buyer = await world.team(), await world.buyer()
    booking = await world.assign(await world.request(team, buyer, world.clock.now() + 3 * DAY), team.sales)
    async with draining(world) as drain:
        await world.change("unassigned", booking, state="pending", receiver=None, assignment=booking.assignment + 1)
        await drain.rest()
    first, again = [heard for heard in await world.heard(team.main) if heard.kind == "requested"]
    assert first == again


async def test_a_request_by_mail_too_is_still_the_workers_n9(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    await world.prefer(team.main, requested=["email"])
    await world.request(team, buyer, world.clock.now() + 3 * DAY)
    assert sorted(await world.ended(team.main, "requested")) == [("email", "planned"), ("in_app", "sent")]
    assert world.hints == 1


async def test_domestic_by_sms_overseas_by_email_buyers_by_email_n1(world: World) -> None:
    buyer, team = await world.buyer(), await world.team()
    for days, (domicile, channel) in enumerate((("domestic", "sms"), ("overseas", "email")), 2):
        team = await world.team(domicile)
        booking = await world.request(team, buyer, world.clock.now() + days * DAY)
        await world.assign(booking, team.sales)
        planned = await world.planned(team.sales)
        for kind in ("assigned", *REMINDERS):
            assert channels(planned, kind) == {"in_app", channel}
    assert channels(await world.planned(buyer), "reminder_soon") == {"in_app", "email"}
    assert not await world.planned(team.main), "nothing is pending any more"


async def test_a_domestic_buyer_with_only_a_phone_by_sms_n1(world: World) -> None:
    team = await world.team()
    for days, (country, expected) in enumerate((("CN", "sms"), ("BR", "email"), (None, "sms")), 2):
        buyer = await world.buyer(country, email=False)
        booking = await world.request(team, buyer, world.clock.now() + days * DAY)
        await world.assign(booking, team.sales)
        assert channels(await world.planned(buyer), "assigned") == {"in_app", expected}


async def test_a_preference_adds_a_channel_and_removes_none_n9(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    await world.prefer(team.sales, reminder_day=["email"], assigned=[])
    await world.prefer(team.main, requested=["email", "sms"])
    booking = await world.request(team, buyer, world.clock.now() + 3 * DAY)
    told = {channel for channel, _ in await world.ended(team.main, "requested")}
    assert told == {"in_app", "email"}, "SMS only for N1's kinds (N10)"
    await world.assign(booking, team.sales)
    planned = await world.planned(team.sales)
    assert channels(planned, "reminder_day") == {"in_app", "email", "sms"}
    assert channels(planned, "assigned") == {"in_app", "sms"}


async def test_an_offset_already_past_is_skipped_and_recorded_but_for_t15_n3(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    booking = await world.request(team, buyer, world.clock.now() + timedelta(minutes=10))
    await world.assign(booking, team.sales)
    found = {(n["kind"], n["state"], n["reason"]) for n in await world.notices(team.sales) if n["kind"] in REMINDERS}
    assert found == {("reminder_day", "skipped", "past"), ("reminder_soon", "planned", None)}
    due = {n["due_at"] for n in await world.notices(team.sales) if n["kind"] == "reminder_soon"}
    assert due == {world.clock.now()}


async def test_a_move_takes_the_old_reminders_back_and_plans_new_ones_n2(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    start = world.clock.now() + 3 * DAY
    booking = await world.assign(await world.request(team, buyer, start), team.sales)
    await world.move(booking, start + DAY)
    reminders = [n for n in await world.notices() if n["kind"] in REMINDERS]
    assert Counter((n["time_revision"], n["state"]) for n in reminders) == {(0, "skipped"): 8, (1, "planned"): 8}
    assert {n["reason"] for n in reminders if n["state"] == "skipped"} == {"moved"}
    assert all(n["due_at"] == start + DAY - timedelta(seconds=n["offset_s"]) for n in reminders if n["time_revision"])


async def test_reassigning_tells_old_new_and_buyer_and_leaves_the_buyers_reminders_m6_n4(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    booking = await world.assign(await world.request(team, buyer, world.clock.now() + 3 * DAY), team.sales)
    before = {n["id"] for n in await world.notices(buyer) if n["kind"] in REMINDERS}
    booking = await world.assign(booking, team.sales2)
    assert await world.planned(team.sales) == {("reassigned", "in_app"), ("reassigned", "sms")}
    assert channels(await world.planned(team.sales2), "reminder_soon") == {"in_app", "sms"}
    assert channels(await world.planned(buyer), "reassigned") == {"in_app", "email"}
    await world.assign(booking, team.sales)
    told = [n for n in await world.notices(buyer) if n["kind"] == "reassigned"]
    assert len(told) == 4, "the buyer is told of every change (N1)"
    assert {n["id"] for n in await world.notices(buyer) if n["kind"] in REMINDERS and n["state"] == "planned"} == before
    assert channels(await world.planned(team.sales), "reminder_day") == {"in_app", "sms"}


async def test_a_cancelled_meeting_has_no_reminders_n2(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    booking = await world.assign(await world.request(team, buyer, world.clock.now() + 3 * DAY), team.sales)
    await world.cancel(booking)
    assert await world.planned(team.sales) == {("cancelled", "in_app"), ("cancelled", "sms")}
    assert await world.planned(buyer) == {("cancelled", "in_app"), ("cancelled", "email")}


async def test_what_was_taken_back_comes_back_when_it_is_planned_again_n4(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    booking = await world.assign(await world.request(team, buyer, world.clock.now() + 3 * DAY), team.sales)
    count = len([n for n in await world.notices(buyer) if n["kind"] in REMINDERS])
    booking = await world.change(
        "unassigned", booking, state="pending", receiver=None, assignment=booking.assignment + 1
    )
    assert not channels(await world.planned(buyer), "reminder_day")
    assert channels(await world.planned(team.main), "requested") == {"in_app"}
    await world.assign(booking, team.sales2)
    assert channels(await world.planned(buyer), "reminder_day") == {"in_app", "email"}
    assert len([n for n in await world.notices(buyer) if n["kind"] in REMINDERS]) == count, "the same rows (N4)"


async def test_a_move_that_the_receiver_is_not_free_for_is_one_piece_of_news_n4_m7(world: World) -> None:
    """Moved and pending again in one transaction: the buyer is told once, and nobody is reminded."""
    team, buyer = await world.team(), await world.buyer()
    start = world.clock.now() + 3 * DAY
    booking = await world.assign(await world.request(team, buyer, start), team.sales)
    later = replace(booking, starts_at=start + DAY, ends_at=booking.ends_at + DAY, time_revision=1)
    nobody = replace(later, state="pending", receiver=None, assignment=later.assignment + 1)
    who: dict[str, Any] = {"by": buyer, "by_name": "B", "side": "buyer"}
    await world.tell(
        Change(kind="moved", before=booking, after=later, **who),
        Change(kind="unassigned", before=later, after=nobody, **who),
    )
    told = [n for n in await world.notices(buyer) if n["kind"] == "changed"]
    assert Counter((n["channel"], n["state"]) for n in told) == {("in_app", "planned"): 1, ("email", "planned"): 1}
    assert await world.planned(buyer) == {("changed", "in_app"), ("changed", "email")}
    assert channels(await world.planned(team.sales), "reassigned") == {"in_app", "sms"}
    assert not {kind for kind, _ in await world.planned(team.sales)} - {"reassigned"}
    assert {kind for kind, _ in await world.planned(team.main)} == {"requested", "pending_day"}
