"""Waiting lists (M13): who stands in line, to whom a freed seat is offered, how long it is held, and what everybody is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from fairwire_protocol.events import Notice, PlaceChanged
from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.harness.until import until
from tests.meetings.agenda import Agenda

HOLD_S = 900


@pytest.fixture
async def timed(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Agenda, ManualClock]]:
    """An agenda on a clock that only tests move."""
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock) as running:
        yield Agenda(running), clock


async def stand(agenda: Agenda, who: str, slot: UUID, **fields: Any) -> UUID:
    """A new place in line."""
    place: UUID = (await agenda.call(who, "bookings.wait", slot=slot, **fields)).place.id
    return place


async def offered(agenda: Agenda, who: str, slot: UUID) -> bool:
    """Whether a seat is held for the buyer."""
    place = await agenda.place_of(who, slot)
    return place is not None and place.expires_at is not None


async def outcomes(agenda: Agenda, who: str) -> list[str | None]:
    """What became of the buyer's places, as it was told."""
    return [event.outcome for event in await agenda.heard(who, PlaceChanged)]


async def test_only_a_full_slot_has_a_line(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    assert await agenda.code("buyer", "bookings.wait", slot=slot) == "slot_not_full"
    await agenda.fill(slot)
    assert await agenda.code("buyer", "bookings.request", slot=slot) == "slot_full"
    place = await stand(agenda, "buyer", slot, topic="engines")
    assert await stand(agenda, "buyer", slot) == place  # once is enough
    [shown] = (await agenda.first("buyer")).places
    assert (shown.id, shown.topic, shown.expires_at) == (place, "engines", None)
    assert [(one.taken, one.waiting) for one in (await agenda.listed()).slots] == [(5, 1)]
    assert (await agenda.open_slots()).slots[0].free == 0
    assert (await agenda.heard("buyer", PlaceChanged))[0].place.id == place


async def test_who_may_stand_in_line_a3_c18(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    [first, *_] = await agenda.fill(slot)
    other = await agenda.slot(4, who="rival")
    assert await agenda.code("visitor", "bookings.wait", slot=slot) == "profile_incomplete"
    assert await agenda.code("far_buyer", "bookings.wait", slot=slot) == "not_found"
    assert await agenda.code(first, "bookings.wait", slot=slot) == "buyer_busy"
    await agenda.book("buyer", other)
    assert await agenda.code("buyer", "bookings.wait", slot=slot) == "buyer_busy"
    conversation = await agenda.open("buyer2")
    await agenda.call("buyer2", "chat.block", conversation=conversation, blocked=True)
    assert await agenda.code("buyer2", "bookings.wait", slot=slot) == "blocked"


async def test_a_freed_seat_goes_to_the_first_in_line_and_to_nobody_else(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    crowd = await agenda.fill(slot)
    place = await stand(agenda, "buyer", slot, topic="engines", exhibit=agenda.running.ground.exhibits["acme"])
    await stand(agenda, "buyer2", slot)
    await agenda.end(crowd[0], slot)
    assert await offered(agenda, "buyer", slot)
    assert not await offered(agenda, "buyer2", slot)

    async def told() -> bool:
        return [notice.kind for notice in await agenda.heard("buyer", Notice)] == ["place_offered"]

    await until(told)
    assert await agenda.code(crowd[0], "bookings.request", slot=slot) == "slot_full"  # it is held
    assert await agenda.code("buyer2", "bookings.answer_place", place=place, accept=True) == "not_found"
    reply = await agenda.call("buyer", "bookings.answer_place", place=place, accept=True)
    [booking] = (await agenda.first("buyer")).bookings
    assert (booking.id, booking.state, booking.topic) == (reply.booking, "pending", "engines")
    assert booking.card is not None
    assert await outcomes(agenda, "buyer") == [None, None, "accepted"]
    assert (await agenda.first("buyer")).places == ()
    assert await agenda.code("buyer", "bookings.answer_place", place=place, accept=True) == "no_place"


async def test_declining_and_leaving_pass_the_seat_on(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    crowd = await agenda.fill(slot)
    [third] = await agenda.crowd(1)
    place, second, _ = [await stand(agenda, who, slot) for who in ("buyer", "buyer2", third)]
    assert (
        await agenda.code("buyer", "bookings.answer_place", place=place, accept=True) == "no_place"
    )  # nothing is held yet
    await agenda.end(crowd[0], slot)
    assert await agenda.code("buyer", "bookings.answer_place", place=place, accept=False) == "ok"
    assert await offered(agenda, "buyer2", slot)
    await agenda.call("buyer2", "bookings.leave", place=second)
    assert await offered(agenda, third, slot)
    assert await agenda.code("buyer2", "bookings.leave", place=second) == "no_place"
    assert await outcomes(agenda, "buyer") == [None, None, "declined"]
    assert await outcomes(agenda, "buyer2") == [None, None, "left"]


async def test_an_offer_that_nobody_answers_passes_on(timed: tuple[Agenda, ManualClock]) -> None:
    agenda, clock = timed
    slot = await agenda.slot(4)
    crowd = await agenda.fill(slot)
    place, _ = [await stand(agenda, who, slot) for who in ("buyer", "buyer2")]
    await agenda.end(crowd[0], slot)
    waiting = agenda.running.node.services.waiting
    clock.advance(HOLD_S - 1)
    await waiting.expire()
    assert await offered(agenda, "buyer", slot)
    clock.advance(1)
    assert await agenda.code("buyer", "bookings.answer_place", place=place, accept=True) == "no_place"
    await waiting.expire()
    assert await offered(agenda, "buyer2", slot)
    assert await outcomes(agenda, "buyer") == [None, None, "expired"]


async def test_no_offer_outlives_the_slots_start_and_its_line_ends_then(timed: tuple[Agenda, ManualClock]) -> None:
    agenda, clock = timed
    slot = await agenda.slot(0)
    crowd = await agenda.fill(slot)
    start = agenda.at(0)
    place, _ = [await stand(agenda, who, slot) for who in ("buyer", "buyer2")]
    clock.advance(start / 1000 - clock.now().timestamp() - 60)
    await agenda.end(crowd[0], slot)
    shown = await agenda.place_of("buyer", slot)
    assert shown.expires_at == start
    clock.advance(60)
    assert await agenda.code("buyer", "bookings.answer_place", place=place, accept=True) == "no_place"
    await agenda.running.node.services.waiting.expire()
    assert await outcomes(agenda, "buyer") == [None, None, "expired"]
    assert await outcomes(agenda, "buyer2") == [None, "over"]


async def test_whoever_cannot_take_a_seat_is_passed_over(agenda: Agenda) -> None:
    slot, other = await agenda.slot(4), await agenda.slot(4, who="rival")
    crowd = await agenda.fill(slot)
    [suspended, blocked] = await agenda.crowd(2)
    for who in ("buyer", suspended, blocked, "buyer2"):
        await stand(agenda, who, slot)
    await agenda.book("buyer", other)  # busy then
    await agenda.run("state", agenda.running.ground[suspended].id, "suspended")
    conversation = await agenda.open(blocked)
    await agenda.call("main", "chat.block", conversation=conversation, blocked=True)
    await agenda.end(crowd[0], slot)
    assert await offered(agenda, "buyer2", slot)
    assert await outcomes(agenda, "buyer") == [None, "over"]


async def test_another_account_makes_another_seat_for_who_waits_m2(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    await agenda.fill(slot)
    await stand(agenda, "buyer", slot)
    await agenda.run("state", agenda.running.ground["suspended"].id, "active")
    assert await agenda.code("buyer2", "bookings.request", slot=slot) == "slot_full"  # those in line come first
    assert (await agenda.open_slots()).slots[0].free == 0
    await agenda.running.node.services.waiting.grow()
    assert await offered(agenda, "buyer", slot)


async def test_a_buyer_in_line_that_finds_a_seat_by_itself_is_out_of_the_line(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    crowd = await agenda.fill(slot)
    await stand(agenda, "buyer", slot)
    await agenda.end(crowd[0], slot)
    assert await agenda.code("buyer2", "bookings.request", slot=slot) == "slot_full"
    await agenda.book("buyer", slot)  # the seat that is held for it
    assert await outcomes(agenda, "buyer") == [None, None, "accepted"]
    [listed] = (await agenda.listed()).slots
    assert (listed.taken, listed.waiting) == (5, 0)


async def test_a_slot_that_changes_has_no_line_any_more_m3(agenda: Agenda) -> None:
    for operation in ("slots.edit", "slots.withdraw"):
        slot = await agenda.slot(4)
        crowd = await agenda.fill(slot)
        [who] = await agenda.crowd(1)
        await stand(agenda, who, slot)
        for one in crowd:
            await agenda.end(one, slot)
        fields: dict[str, Any] = {"starts_at": agenda.at(20)} if operation == "slots.edit" else {}
        await agenda.call("main", operation, slot=slot, **fields)
        assert await outcomes(agenda, who) == [None, None, "over"]
        assert (await agenda.first(who)).places == ()


async def test_in_how_many_lines_a_buyer_stands_is_bounded_w15(database_url: str, tmp_path: Path) -> None:
    async with running_node(database_url, tmp_path, places_max=2) as running:
        agenda = Agenda(running)
        assert running.node.socket_settings().limits.places == 2
        for half_hour in (4, 6, 8):
            slot = await agenda.slot(half_hour)
            await agenda.fill(slot)
            assert await agenda.code("buyer", "bookings.wait", slot=slot) == ("place_limit" if half_hour == 8 else "ok")
