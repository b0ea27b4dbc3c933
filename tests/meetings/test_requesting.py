"""Requesting a slot: who may, what is refused and why, one effect per cid, and what everybody is told (A3, C18, M2, M4, W7)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from fairwire_protocol.errors import Refused
from fairwire_protocol.events import BookingChanged
from fairwire_server.meetings.request_rules import Calendar, Stand, topic_of
from fairwire_server.meetings.slot_rules import Seats
from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.meetings.agenda import Agenda


async def test_a_request_is_pending_and_everybody_knows_m4_m5_w5(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    exhibit = agenda.running.ground.exhibits["acme"]
    reply = await agenda.book("buyer", slot, topic="  two\ttopics ", exhibit=exhibit)
    for who in ("buyer", "main", "manager"):
        [booking] = (await agenda.first(who)).bookings
        assert (booking.id, booking.slot, booking.state, booking.topic) == (
            reply.booking,
            slot,
            "pending",
            "two topics",
        )
        assert booking.card is not None
        assert booking.card.id == exhibit
    assert (await agenda.first("sales2")).bookings == ()  # own, and it is nobody's yet
    [entry] = (await agenda.first("buyer")).recent.entries
    assert (entry.conversation, entry.open) == (reply.conversation, False)
    assert entry.last is not None
    assert entry.last.kind == "booking"
    assert (await agenda.heard("buyer", BookingChanged))[0].booking.id == reply.booking
    [listed] = (await agenda.listed()).slots
    assert (listed.pending, listed.taken, listed.ever, listed.unserved) == (1, 1, 1, 0)
    assert await agenda.holder(reply.conversation) == "sales"  # the exhibit's owner (C6)


async def test_the_conversation_that_is_there_is_used_c1(agenda: Agenda) -> None:
    conversation = await agenda.open("buyer")
    assert (await agenda.book("buyer", await agenda.slot(4))).conversation == conversation
    assert (await agenda.book("buyer", await agenda.slot(6))).conversation == conversation


async def test_who_may_not_is_told_why_a3_c18_m4(agenda: Agenda) -> None:
    slot, other = await agenda.slot(4), await agenda.slot(4, who="rival")
    ground = agenda.running.ground
    assert await agenda.code("visitor", "bookings.request", slot=slot) == "profile_incomplete"
    assert await agenda.code("main", "bookings.request", slot=slot) == "forbidden"
    assert await agenda.code("far_buyer", "bookings.request", slot=slot) == "not_found"
    assert await agenda.code("buyer", "bookings.request", slot=uuid4()) == "not_found"
    assert await agenda.code("buyer", "bookings.request", slot=slot, exhibit=ground.exhibits["rival"]) == "not_found"
    assert await agenda.code("buyer", "bookings.request", slot=slot, topic="x" * 101) == "too_long"
    await agenda.book("buyer", slot)
    assert await agenda.code("buyer", "bookings.request", slot=other) == "buyer_busy"
    conversation = await agenda.open("buyer2")
    await agenda.call("main", "chat.block", conversation=conversation, blocked=True)
    assert await agenda.code("buyer2", "bookings.request", slot=slot) == "blocked"
    await agenda.call("organiser", "organiser.silence", account=ground["buyer2"].id, until=4_000_000_000_000)
    assert await agenda.code("buyer2", "bookings.request", slot=other) == "silenced"


async def test_a_refused_word_is_refused_in_a_topic_c18(agenda: Agenda) -> None:
    await agenda.call("organiser", "organiser.set_keywords", keywords=[{"word": "knives", "action": "refuse"}])
    slot = await agenda.slot(4)
    assert await agenda.code("buyer", "bookings.request", slot=slot, topic="About knives") == "refused_keyword"
    assert await agenda.code("buyer", "bookings.request", slot=slot, topic="About forks") == "ok"


async def test_the_last_seat_is_taken_once_m2(agenda: Agenda) -> None:
    slot = await agenda.slot(4, who="rival")  # two accounts
    assert await agenda.code("buyer", "bookings.request", slot=slot) == "ok"
    await agenda.run("state", agenda.running.ground["rival_sales"].id, "disabled")
    assert await agenda.code("buyer2", "bookings.request", slot=slot) == "slot_full"
    await agenda.run("state", agenda.running.ground["rival_sales"].id, "active")
    assert await agenda.code("buyer2", "bookings.request", slot=slot) == "ok"
    await agenda.run("state", agenda.running.ground["rival_sales"].id, "disabled")  # A6: what is taken stays valid
    [listed] = (await agenda.listed("rival")).slots
    assert (listed.pending, listed.unserved) == (2, 1)  # M2: one stays pending, and this says so


async def test_one_effect_per_cid_w7(agenda: Agenda) -> None:
    slot, cid = await agenda.slot(4), uuid4()
    first = await agenda.book("buyer", slot, cid=cid, topic="one")
    assert await agenda.book("buyer", slot, cid=cid, topic="one") == first
    assert await agenda.code("buyer", "bookings.request", cid=cid, slot=slot, topic="two") == "cid_reused"
    conversation = first.conversation
    assert await agenda.code("buyer", "chat.send", cid=cid, conversation=conversation, text="x") == "cid_reused"
    assert await agenda.code("buyer", "chat.block", conversation=conversation, blocked=False) == "ok"
    sent = uuid4()
    await agenda.call("buyer", "chat.send", cid=sent, conversation=conversation, text="x")
    assert await agenda.code("buyer", "bookings.request", cid=sent, slot=await agenda.slot(8)) == "cid_reused"
    other = uuid4()
    await agenda.call("buyer", "chat.open", cid=other, exhibitor=agenda.running.ground.exhibitors["rival"])
    assert await agenda.code("buyer", "bookings.request", cid=other, slot=await agenda.slot(10)) == "cid_reused"
    assert (
        await agenda.code("buyer", "chat.open", cid=cid, exhibitor=agenda.running.ground.exhibitors["rival"])
        == "cid_reused"
    )


async def test_a_slot_in_use_is_not_changed_and_one_that_was_is_kept_m3(agenda: Agenda) -> None:
    slot = await agenda.slot(4)
    booking = (await agenda.book("buyer", slot)).booking
    assert await agenda.code("main", "slots.edit", slot=slot, minutes=60) == "slot_has_bookings"
    assert await agenda.code("main", "slots.withdraw", slot=slot) == "slot_has_bookings"
    await agenda.run("end_booking", booking)
    await agenda.call("main", "slots.withdraw", slot=slot)
    assert await agenda.run("withdrawn", slot) is True
    assert (await agenda.listed()).slots == ()
    assert await agenda.code("buyer", "bookings.request", slot=slot) == "slot_over"
    await agenda.slot(4)  # a withdrawn one is in nobody's way


async def test_a_slot_that_has_begun_is_over_m4(database_url: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock) as running:
        agenda = Agenda(running)
        slot = await agenda.slot(0)
        clock.advance(agenda.at(0) / 1000 - clock.now().timestamp())
        assert await agenda.code("buyer", "bookings.request", slot=slot) == "slot_over"


def test_topics_are_one_line_of_at_most_100_m4() -> None:
    assert topic_of(" a\n b\u0301 ") == "a b\u0301"
    assert topic_of("") == ""
    assert topic_of("x" * 100 + "  ") == "x" * 100
    for wrong in ("x" * 101, "a\0b", "\ud800"):
        with pytest.raises(Refused):
            topic_of(wrong)


def test_a_held_seat_is_for_its_holder_m13() -> None:
    one, other = UUID(int=1), UUID(int=2)
    stand = Stand(2, Seats(pending=1, offered=1), offered_to={one})
    assert stand.has_seat_for(one)
    assert not stand.has_seat_for(other)
    stand.take(one)
    assert stand.seats == Seats(pending=2)
    assert not stand.has_seat_for(one)


def test_meetings_that_touch_do_not_overlap_m4() -> None:
    buyer = UUID(int=1)
    calendar = Calendar()
    hours = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(4)]
    calendar.add(buyer, hours[1], hours[2])
    assert not calendar.is_busy(buyer, hours[0], hours[1])
    assert not calendar.is_busy(buyer, hours[2], hours[3])
    assert calendar.is_busy(buyer, hours[0], hours[3])
    assert not calendar.is_busy(UUID(int=2), hours[1], hours[2])
