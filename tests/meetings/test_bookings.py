"""A booking assigned, reassigned, rejected and cancelled through its operations (M4–M7, A7, A8)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from fairwire_protocol.errors import FairwireError
from fairwire_protocol.models import Booking
from tests.meetings.booth import Booth


async def assign(booth: Booth, booking: UUID, to: str, who: str = "main", **more: Any) -> Booking:
    receiver = booth.running.ground[to].id
    args = {"confirm_unreachable": True, **more}
    reply = await booth.desk.call(who, "bookings.assign", booking=booking, receiver=receiver, **args)
    found: Booking = reply.booking
    return found


async def code(booth: Booth, who: str, op: str, **fields: Any) -> str:
    return await booth.desk.code(who, op, **fields)


async def test_the_first_assignment_gives_a_receiver_and_a_room_m6_m9(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    after = await assign(booth, booking, "sales")
    assert after.state == "assigned"
    assert after.receiver is not None
    assert after.receiver.id == booth.running.ground["sales"].id
    assert after.room_number is not None
    assert len(after.room_number) == 9
    assert after.room_number.isdecimal()
    assert (after.assignment, after.time_revision) == (1, 0)
    for who in ("buyer", "main", "manager", "sales"):
        assert (await booth.kept(who))[booking] == after
    assert booking not in await booth.kept("sales2")


async def test_reassigning_keeps_the_room_and_what_the_former_one_sees_m6_a7(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    first = await assign(booth, booking, "sales", who="manager")
    second = await assign(booth, booking, "manager")
    assert (second.assignment, second.room_number) == (2, first.room_number)
    for who in ("sales", "manager", "buyer"):
        assert (await booth.kept(who))[booking] == second
    shown = await booth.desk.call("sales", "bookings.show", booking=booking)
    assert [record.receiver.id for record in shown.receivers] == [
        booth.running.ground[who].id for who in ("sales", "manager")
    ]
    assert (await booth.desk.call("buyer", "bookings.show", booking=booking)).receivers == ()
    notes = [row["detail"] for row in await booth.rows("messages", second.conversation)]
    assert [
        f'"change": "{kind}"' in note.decode()
        for kind, note in zip(("requested", "assigned", "reassigned"), notes, strict=True)
    ]


async def test_the_same_receiver_again_changes_nothing(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    assert await assign(booth, booking, "sales") == await assign(booth, booking, "sales")


async def test_business_accounts_assign_nothing_seed_m6(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    await assign(booth, booking, "sales")
    me = booth.running.ground["sales"].id
    assert await code(booth, "sales", "bookings.assign", booking=booking, receiver=me) == "forbidden"
    assert await code(booth, "sales", "bookings.receivers", booking=booking) == "forbidden"


async def test_without_the_needed_address_only_after_a_warning_a8(booth: Booth) -> None:
    """The exhibitor is domestic: a verified number is needed; the cast has mail addresses alone."""
    booking, sales = await booth.booking(await booth.slot()), booth.running.ground["sales"].id
    args: dict[str, Any] = {"booking": booking, "receiver": sales}
    assert await code(booth, "main", "bookings.assign", **args) == "receiver_unreachable"
    [listed] = [
        one
        for one in (await booth.desk.call("main", "bookings.receivers", booking=booking)).receivers
        if one.account.id == sales
    ]
    assert listed.unreachable
    async with booth.running.node.works.begin() as work:
        await work.connection.execute(booth.sql["verify_mobile"], sales)
    assert await code(booth, "main", "bookings.assign", **args) == "ok"


@pytest.mark.parametrize("to", ["exhibit", "suspended", "rival", "buyer"])
async def test_who_cannot_receive_m6(booth: Booth, to: str) -> None:
    booking = await booth.booking(await booth.slot())
    receiver = booth.running.ground[to].id
    args: dict[str, Any] = {"booking": booking, "receiver": receiver, "confirm_unreachable": True}
    assert await code(booth, "main", "bookings.assign", **args) == "bad_receiver"


async def test_nobody_receives_two_meetings_at_once_m4(booth: Booth) -> None:
    slot = await booth.slot()
    one, other = await booth.booking(slot), await booth.booking(slot, "buyer2")
    await assign(booth, one, "sales")
    with pytest.raises(FairwireError, match="receiver_busy"):
        await assign(booth, other, "sales")
    free = (await booth.desk.call("main", "bookings.receivers", booking=other)).receivers
    names = {booth.running.ground[who].id: who for who in ("main", "manager", "sales", "sales2")}
    assert {names[one.account.id]: one.free for one in free} == {
        "main": True, "manager": True, "sales": False, "sales2": True,
    }  # fmt: skip
    assert not free[-1].free
    await assign(booth, other, "sales2")


async def test_a_booking_for_which_nobody_is_free_says_so_m2(booth: Booth) -> None:
    slot = await booth.slot()
    booking = await booth.booking(slot)
    for number, who in enumerate(("main", "manager", "sales", "sales2")):
        buyer = f"extra{number}"
        await booth.add_buyer(buyer)
        await assign(booth, await booth.booking(slot, buyer), who)
    [listed] = (await booth.desk.call("main", "bookings.list", state="pending")).bookings
    assert (listed.booking.id, listed.no_receiver_free) == (booking, True)
    assert (await booth.desk.call("main", "bookings.show", booking=booking)).no_receiver_free
    [told] = (await booth.desk.call("buyer", "bookings.list")).bookings
    assert not told.no_receiver_free


async def test_rejecting_needs_a_reason_and_is_for_pending_ones_m7(booth: Booth) -> None:
    slot = await booth.slot()
    booking = await booth.booking(slot)
    assert await code(booth, "main", "bookings.reject", booking=booking, reason=" ") == "invalid"
    assert await code(booth, "main", "bookings.reject", booking=booking, reason="字" * 501) == "too_long"
    assert await code(booth, "buyer", "bookings.reject", booking=booking, reason="no") == "forbidden"
    reply = await booth.desk.call("manager", "bookings.reject", booking=booking, reason="没有空")
    assert (reply.booking.state, reply.booking.reason, reply.booking.ended_by) == ("rejected", "没有空", "team")
    assert booking not in await booth.kept("buyer")
    assert await code(booth, "main", "bookings.reject", booking=booking, reason="no") == "wrong_state"
    assert await code(booth, "buyer", "bookings.cancel", booking=booking, reason="no") == "wrong_state"
    again = await booth.booking(slot)
    await assign(booth, again, "sales")
    assert await code(booth, "main", "bookings.reject", booking=again, reason="no") == "wrong_state"


@pytest.mark.parametrize(("who", "side"), [("buyer", "buyer"), ("manager", "team")])
async def test_either_side_cancels_with_a_reason_m7(booth: Booth, who: str, side: str) -> None:
    slot = await booth.slot()
    booking = await booth.booking(slot)
    await assign(booth, booking, "sales")
    assert await code(booth, "sales", "bookings.cancel", booking=booking, reason="ill") == "forbidden"
    assert await code(booth, "buyer2", "bookings.cancel", booking=booking, reason="ill") == "not_found"
    reply = await booth.desk.call(who, "bookings.cancel", booking=booking, reason="ill")
    assert (reply.booking.state, reply.booking.ended_by, reply.booking.receiver) == ("cancelled", side, None)
    for name in ("buyer", "main", "sales"):
        assert booking not in await booth.kept(name)
    again = await booth.booking(slot)  # its seat, its buyer and its receiver are free again (M2, M4)
    await assign(booth, again, "sales")


async def test_a_stale_counter_is_a_conflict(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    await assign(booth, booking, "sales", assignment=0)
    with pytest.raises(FairwireError, match="conflict"):
        await assign(booth, booking, "sales2", assignment=0)


async def test_what_is_over_is_not_assigned_but_can_be_cleared_m6(booth: Booth) -> None:
    begun = await booth.booking(await booth.slot(-0.25))
    await assign(booth, begun, "sales")
    over = await booth.booking(await booth.slot(-2))
    with pytest.raises(FairwireError, match="too_late"):
        await assign(booth, over, "sales")
    [listed] = (await booth.desk.call("main", "bookings.list", overdue=True)).bookings
    assert (listed.booking.id, listed.overdue) == (over, True)
    assert await code(booth, "main", "bookings.reject", booking=over, reason="late") == "ok"


async def test_a_reason_holds_no_word_that_the_fair_refuses_c18_m7(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    keywords = [{"word": "badword", "action": "refuse"}]
    await booth.desk.call("organiser", "organiser.set_keywords", keywords=keywords)
    await booth.running.node.services.keyword_lists.refresh()
    for op, who in (("bookings.reject", "main"), ("bookings.cancel", "buyer")):
        assert await code(booth, who, op, booking=booking, reason="a BadWord here") == "refused_keyword"
    assert (await booth.fact(booking)).state == "pending"
