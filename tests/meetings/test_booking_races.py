"""Several parties at once on the same bookings: one order for everybody, nothing double, nothing lost (M4, M6, M7, W4)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from fairwire_protocol.errors import FairwireError, Refused
from fairwire_server.meetings.bookings import last_word
from fairwire_server.meetings.rules import assigned
from fairwire_server.meetings.slot_store import SlotStore
from tests.chat.desk import until
from tests.meetings.booth import Booth

ROUNDS = 8


async def outcome(booth: Booth, who: str, op: str, **fields: Any) -> str:
    """The error's code or `ok`; what is temporary is tried again, as clients do."""
    while True:
        try:
            await booth.desk.call(who, op, **fields)
        except FairwireError as error:
            if error.final:
                return error.code
        else:
            return "ok"


def assigning(booth: Booth, booking: UUID, to: str, who: str = "main") -> Any:
    receiver = booth.running.ground[to].id
    return outcome(booth, who, "bookings.assign", booking=booking, receiver=receiver, confirm_unreachable=True)


async def test_of_two_overlapping_assignments_of_one_receiver_one_wins_m4(booth: Booth) -> None:
    """Half-overlapping slots cannot be of one exhibitor, so the two bookings are of one slot."""
    for number in range(ROUNDS):
        slot = await booth.slot(30 + number)
        pair = [await booth.booking(slot), await booth.booking(slot, "buyer2")]
        outcomes = await asyncio.gather(*(assigning(booth, one, "sales") for one in pair))
        assert sorted(outcomes) == ["ok", "receiver_busy"]
        facts = [await booth.fact(one) for one in pair]
        assert sorted(fact.state for fact in facts) == ["assigned", "pending"]


async def test_the_exclusion_constraint_has_the_last_word_m4(booth: Booth) -> None:
    """Whatever forgets to look: the row cannot be written, and the client is told in words of the fair."""
    slot = await booth.slot()
    one, other = await booth.booking(slot), await booth.booking(slot, "buyer2")
    assert await assigning(booth, one, "sales") == "ok"
    fact, sales = await booth.fact(other), booth.running.ground["sales"]
    _, blind = assigned(fact, sales.id, sales.name, "000000001")
    with pytest.raises(Refused, match="receiver_busy"), last_word():
        async with booth.running.node.works.begin() as work:
            await booth.store.save(work.connection, [blind], work.now)
    assert await booth.fact(other) == fact


@pytest.mark.parametrize("rounds", range(ROUNDS))
async def test_assigning_cancelling_and_moving_at_once_leave_one_story_m6_m7(booth: Booth, rounds: int) -> None:
    old, new = await booth.slot(30), await booth.slot(40 + rounds)
    booking = await booth.booking(old)
    waiting = (await booth.desk.call("main", "bookings.propose", booking=booking, slot=new)).booking
    assert waiting.proposal is not None
    everything = [
        assigning(booth, booking, "sales"),
        assigning(booth, booking, "manager", who="manager"),
        outcome(booth, "buyer", "bookings.answer_proposal", proposal=waiting.proposal.id, accept=True),
        outcome(booth, "buyer", "bookings.cancel", booking=booking, reason="ill"),
        outcome(booth, "main", "bookings.withdraw_proposal", proposal=waiting.proposal.id),
    ]
    turned = everything[rounds % 5 :] + everything[: rounds % 5]
    outcomes = await asyncio.gather(*turned)
    one, two, moved, cancelled, withdrawn = outcomes[5 - rounds % 5 :] + outcomes[: 5 - rounds % 5]
    fact = await booth.fact(booking)
    assert cancelled == "ok"
    assert fact.state == "cancelled"
    assert {one, two, moved, withdrawn} <= {"ok", "wrong_state", "no_proposal"}
    assert not (moved == withdrawn == "ok")
    assert fact.time_revision == (moved == "ok")
    assert fact.slot == (new if moved == "ok" else old)
    assert fact.assignment == (one == "ok") + (two == "ok")
    assert fact.sequence == fact.assignment + fact.time_revision + 1
    async with booth.running.node.works.read() as work:
        seats = await SlotStore().seats(work.connection, [old, new], work.now)
    assert [one.taken for one in seats.values()] == [0, 0]
    for who in ("buyer", "main", "manager", "sales"):
        assert booking not in await booth.kept(who)


async def test_two_moves_to_the_last_seat_of_a_receiver_never_double_it_m4(booth: Booth) -> None:
    """Both are received by sales at different times and accepted to the same one: the second is pending again."""
    for number in range(ROUNDS):
        hours = 30 + 10 * number
        slots = [await booth.slot(hours + step) for step in range(3)]
        pair = [await booth.booking(slots[0]), await booth.booking(slots[1], "buyer2")]
        for one in pair:
            assert await assigning(booth, one, "sales") == "ok"
        waiting = [
            (await booth.desk.call("main", "bookings.propose", booking=one, slot=slots[2])).booking.proposal
            for one in pair
        ]
        outcomes = await asyncio.gather(
            *(
                outcome(booth, who, "bookings.answer_proposal", proposal=proposal.id, accept=True)
                for who, proposal in zip(("buyer", "buyer2"), waiting, strict=True)
            )
        )
        assert outcomes == ["ok", "ok"]
        facts = [await booth.fact(one) for one in pair]
        assert sorted(fact.state for fact in facts) == ["assigned", "pending"]
        assert {fact.slot for fact in facts} == {slots[2]}


async def test_one_command_sent_many_times_assigns_once_w7(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    cid, receiver = booking, booth.running.ground["sales"].id
    args: dict[str, Any] = {"booking": booking, "receiver": receiver, "confirm_unreachable": True, "cid": cid}
    outcomes = await asyncio.gather(*(outcome(booth, "main", "bookings.assign", **args) for _ in range(20)))
    assert set(outcomes) == {"ok"}
    assert (await booth.fact(booking)).assignment == 1


async def test_a_move_waits_for_whoever_gives_its_receiver_a_meeting_then_m4(booth: Booth) -> None:
    """Looked at without a lock, the other meeting would not be seen, and the move would break on the constraint."""
    slots = [await booth.slot(hours) for hours in (30, 32)]
    moving, other = await booth.booking(slots[0]), await booth.booking(slots[1], "buyer2")
    assert await assigning(booth, moving, "sales") == "ok"
    waiting = (await booth.desk.call("main", "bookings.propose", booking=moving, slot=slots[1])).booking.proposal
    sales, works = booth.running.ground["sales"], booth.running.node.works
    args: dict[str, Any] = {"proposal": waiting.id, "accept": True}

    async def somebody_waits() -> bool:
        return bool(await booth.desk.value("locks_waited_for"))

    async with works.begin() as work:
        await booth.store.lock_receivers(work.connection, [sales.id])
        _, given = assigned(
            (await booth.store.lock(work.connection, [other]))[other], sales.id, sales.name, "000000001"
        )
        await booth.store.save(work.connection, [given], work.now)
        answering = asyncio.create_task(booth.desk.call("buyer", "bookings.answer_proposal", **args))
        await until(somebody_waits)
    assert (await answering).unassigned
    assert (await booth.fact(moving)).state == "pending"
