"""Meetings go with chats before an account does (A6), and names that bookings show stay right (W5)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from fairwire_protocol.errors import FairwireError
from fairwire_protocol.events import ContactChanged
from fairwire_protocol.models import BuyerCard
from tests.harness.until import until
from tests.meetings.booth import Booth


async def assigned(booth: Booth, booking: UUID, to: str) -> None:
    args: dict[str, Any] = {"booking": booking, "receiver": booth.running.ground[to].id, "confirm_unreachable": True}
    await booth.desk.call("main", "bookings.assign", **args)


async def patiently(booth: Booth, op: str, **fields: Any) -> None:
    """As a client does: what is temporary is tried again. A notice of a meeting that is just being sent holds its handover up."""
    while True:
        try:
            await booth.desk.call("main", op, **fields)
        except FairwireError as error:
            if error.final:
                raise
        else:
            return


@pytest.mark.parametrize("how", ["remove", "disable", "exhibit"])
async def test_meetings_are_handed_over_or_the_account_stays_a6(booth: Booth, how: str) -> None:
    booking = await booth.booking(await booth.slot())
    await assigned(booth, booking, "sales")
    over = await booth.booking(await booth.slot(-0.6), "buyer2")
    async with booth.running.node.works.begin() as work:
        await work.connection.execute(booth.sql["receive"], over, booth.running.ground["sales"].id)

    async def go(**more: Any) -> None:
        account = {"account": booth.running.ground["sales"].id}
        if how == "remove":
            await patiently(booth, "team.remove", **account, **more)
        else:
            change = {"enabled": False} if how == "disable" else {"kind": "exhibit"}
            await patiently(booth, "team.update", **account, **change, **more)

    with pytest.raises(FairwireError) as refused:
        await go()
    assert refused.value.code == "handover_needed"
    assert refused.value.detail is not None
    held: Any = refused.value.detail["open"]
    assert held["booking"] == {"count": 1, "ids": [str(booking)]}
    await go(handover_to=booth.running.ground["sales2"].id)
    after = (await booth.kept("sales2"))[booking]
    assert after.receiver is not None
    assert after.receiver.id == booth.running.ground["sales2"].id
    assert after.assignment == 2
    assert (await booth.kept("buyer"))[booking] == after
    assert (await booth.fact(over)).receiver == booth.running.ground["sales"].id  # what is over stays


async def test_a_colleague_who_is_not_free_is_refused_with_the_list_a6_m4(booth: Booth) -> None:
    slot = await booth.slot()
    mine, other = await booth.booking(slot), await booth.booking(slot, "buyer2")
    await assigned(booth, mine, "sales")
    await assigned(booth, other, "sales2")
    with pytest.raises(FairwireError) as refused:
        await patiently(
            booth,
            "team.remove",
            account=booth.running.ground["sales"].id,
            handover_to=booth.running.ground["sales2"].id,
        )
    assert refused.value.code == "receiver_busy"
    assert refused.value.detail == {"open": {"booking": {"count": 1, "ids": [str(mine)]}}}
    assert (await booth.fact(mine)).receiver == booth.running.ground["sales"].id


async def test_chats_and_meetings_of_one_conversation_go_in_one_step_a6_w4(booth: Booth) -> None:
    conversation = await booth.desk.open("buyer")
    await booth.desk.say("buyer", conversation, "hello")
    await booth.desk.transfer(await booth.desk.holder(conversation), conversation, "sales")
    booking = await booth.booking(await booth.slot())
    await assigned(booth, booking, "sales")
    await patiently(
        booth, "team.remove", account=booth.running.ground["sales"].id, handover_to=booth.running.ground["sales2"].id
    )
    assert await booth.desk.holder(conversation) == "sales2"
    kinds = [(row["seq"], row["kind"]) for row in await booth.rows("messages", conversation)]
    assert kinds == list(enumerate(("text", "transfer", "booking", "booking", "transfer", "booking"), 1))
    assert booking in await booth.kept("sales2")


async def test_who_goes_and_who_takes_over_are_locked_in_the_order_of_assignments_a6(booth: Booth) -> None:
    """A reassignment holds the first of both and wants the second, while the second is removed: nobody waits in a ring."""
    node, ground = booth.running.node, booth.running.ground
    first, second = sorted(("sales", "sales2"), key=lambda name: ground[name].id)
    booking = await booth.booking(await booth.slot())
    await assigned(booth, booking, second)

    async def waiting() -> bool:
        async with node.works.read() as work:
            return bool(await work.connection.fetchval(booth.sql["waiting"]))

    async with node.works.begin() as reassignment:
        await reassignment.connection.execute(booth.sql["hold_account"], ground[first].id)
        going = asyncio.create_task(
            patiently(booth, "team.remove", account=ground[second].id, handover_to=ground[first].id)
        )
        await until(waiting)
        await reassignment.connection.execute(booth.sql["hold_account"], ground[second].id)
    await going
    assert (await booth.fact(booking)).receiver == ground[first].id


async def test_suspending_a_buyer_leaves_its_bookings_a6(booth: Booth) -> None:
    booking = await booth.booking(await booth.slot())
    await booth.desk.call("organiser", "organiser.suspend", account=booth.running.ground["buyer"].id, suspended=True)
    await assigned(booth, booking, "sales")
    assert (await booth.fact(booking)).state == "assigned"


async def test_a_renamed_receiver_is_renamed_for_the_buyer_w5(booth: Booth) -> None:
    """Sales holds no chat of this buyer: only the meeting shows its name there."""
    booking = await booth.booking(await booth.slot())
    await assigned(booth, booking, "sales")
    await booth.desk.call("sales", "account.update", name="Han Meimei")
    told = [row["type"] for row in await booth.rows("events", booth.running.ground["buyer"].id)]
    assert told[-1] == "person"
    receiver = (await booth.kept("buyer"))[booking].receiver
    assert receiver is not None
    assert receiver.name == "Han Meimei"


async def test_a_changed_buyer_is_told_to_who_receives_it_without_its_data_w5_k2(booth: Booth) -> None:
    """Even when the exhibitor has it in its base: who receives a meeting reads no customer's card by that."""
    booking = await booth.booking(await booth.slot())
    await assigned(booth, booking, "sales")
    await booth.desk.call("main", "customers.add", buyer=booth.running.ground["buyer"].id)
    await booth.desk.call("buyer", "account.update", name="Ana Silva")
    [event] = [row for row in await booth.rows("events", booth.running.ground["sales"].id) if row["type"] == "contact"]
    card = msgspec.msgpack.decode(event["body"], type=ContactChanged).contact
    assert isinstance(card, BuyerCard)
    assert (card.name, card.in_base, card.details) == ("Ana Silva", False, None)
    assert (await booth.kept("sales"))[booking].buyer.name == "Ana Silva"
