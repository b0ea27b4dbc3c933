"""Presence, typing, looking: who may watch whom, what is shown, and that it reaches nobody else (C16, C17, W10, W14)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.clock import ManualClock
from tests.harness.node import Running, running_node
from tests.harness.peer import Peer, peer
from tests.hub.wire import chat, fence, passes

GRACE_S = 20.0


@pytest.fixture
async def timed(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Running]:
    """A node on `clock` that hardly ever beats: the watchers here say nothing for long."""
    async with running_node(database_url, tmp_path, clock, beat_interval_s=36_000.0, beat_answer_s=30_000.0) as running:
        yield running


def account(running: Running, who: str) -> dict[str, str]:
    return {"kind": "account", "id": str(running.ground[who].id)}


def exhibitor(running: Running, name: str) -> dict[str, str]:
    return {"kind": "exhibitor", "id": str(running.ground.exhibitors[name])}


async def state(one: Peer, subject: dict[str, str]) -> str | None:
    """What is shown of a subject, None if nothing is."""
    states = (await one.ok("presence.query", subjects=[subject]))["states"]
    return states[0]["state"] if states else None


def ephemera(one: Peer) -> list[dict[str, Any]]:
    return [frame for frame in one.frames if frame["t"] in {"presence", "typing", "looking"}]


async def test_at_most_fifty_subjects_are_watched_w10(timed: Running) -> None:
    async with peer(timed.url, timed.ground["buyer"].token) as buyer:
        subject = exhibitor(timed, "acme")
        await buyer.ok("presence.watch", subjects=[subject] * 50)
        for op in ("presence.watch", "presence.query"):
            assert await buyer.refused(op, subjects=[subject] * 51) == "invalid"


async def test_the_limit_of_subjects_is_the_one_that_welcome_tells_w10_w15(database_url: str, tmp_path: Path) -> None:
    async with (
        running_node(database_url, tmp_path, subscriptions_max=2) as running,
        peer(running.url, running.ground["buyer"].token) as buyer,
    ):
        (welcome,) = [frame for frame in buyer.heard if frame["t"] == "welcome"]
        assert welcome["limits"]["subscriptions"] == 2
        await buyer.ok("presence.watch", subjects=[exhibitor(running, "acme")] * 2)
        assert await buyer.refused("presence.watch", subjects=[exhibitor(running, "acme")] * 3) == "invalid"


async def test_in_a_blocked_chat_nobody_sees_typing_c16_c18(timed: Running) -> None:
    ground = timed.ground
    async with peer(timed.url, ground["buyer"].token) as buyer, peer(timed.url, ground["main"].token) as main:
        conversation = await chat(timed, buyer)
        await buyer.ok("chat.block", conversation=conversation, blocked=True)
        await buyer.ok("chat.typing", conversation=conversation)
        await fence(buyer, main)
        assert not ephemera(main)


async def test_watchers_are_told_of_changes_and_only_they_c17_w10(timed: Running, clock: ManualClock) -> None:
    ground = timed.ground
    async with peer(timed.url, ground["buyer"].token) as buyer, peer(timed.url, ground["buyer2"].token) as other:
        watched = await buyer.ok("presence.watch", subjects=[exhibitor(timed, "acme"), exhibitor(timed, "far")])
        assert watched["states"] == [exhibitor(timed, "acme") | {"state": "offline"}]
        async with peer(timed.url, ground["main"].token) as main:
            await passes(clock, 1.0)
            told = await buyer.wait(t="presence")
            assert told["states"] == [exhibitor(timed, "acme") | {"state": "online"}]
            await main.ok("presence.set", state="busy")
            await passes(clock, 1.0)
            assert (await buyer.wait(t="presence"))["states"][0]["state"] == "busy"
            await buyer.ok("presence.watch", subjects=[])
            await main.ok("presence.set", state="away")
            await passes(clock, 1.0)
        await fence(buyer, other)
        assert not ephemera(buyer)
        assert not ephemera(other)


async def test_grace_counts_from_the_last_frame_and_then_it_is_offline_c17_w14(
    timed: Running, clock: ManualClock
) -> None:
    ground = timed.ground
    async with peer(timed.url, ground["buyer"].token) as buyer:
        acme = exhibitor(timed, "acme")
        async with peer(timed.url, ground["main"].token) as main:
            await fence(main)
            await passes(clock, 10.0)  # says nothing for ten seconds, then is gone
        await fence(buyer)
        await passes(clock, 9.0)
        assert await state(buyer, acme) == "online"
        await passes(clock, 2.0)
        assert await state(buyer, acme) == "offline"


async def test_coming_back_within_the_grace_is_never_seen_c17_w14(timed: Running, clock: ManualClock) -> None:
    ground = timed.ground
    async with peer(timed.url, ground["buyer"].token) as buyer:
        async with peer(timed.url, ground["main"].token) as main:
            await fence(main)
            await buyer.ok("presence.watch", subjects=[exhibitor(timed, "acme")])
        await passes(clock, GRACE_S - 1)
        async with peer(timed.url, ground["main"].token):
            await passes(clock, 5.0)
            await fence(buyer)
            assert not ephemera(buyer)


async def test_the_best_of_devices_and_of_receiving_accounts_is_shown_c17(timed: Running, clock: ManualClock) -> None:
    ground = timed.ground
    acme = exhibitor(timed, "acme")
    async with (
        peer(timed.url, ground["buyer"].token) as buyer,
        peer(timed.url, ground["sales"].token) as phone,
        peer(timed.url, ground["sales"].token) as laptop,
        peer(timed.url, ground["exhibit"].token) as exhibit,
    ):
        await phone.ok("presence.set", state="away")
        await laptop.ok("presence.set", state="busy")
        assert await state(exhibit, account(timed, "sales")) == "busy"
        await phone.ok("presence.set", state="online")
        assert await state(exhibit, account(timed, "sales")) == "online"
        assert await state(buyer, acme) == "online"
        await phone.hang_up()
        await laptop.hang_up()
        await passes(clock, GRACE_S + 2)
        await fence(exhibit)
        assert await state(buyer, acme) == "offline", "an exhibit account receives no chats"


async def test_an_account_that_receives_no_chats_any_more_does_not_make_its_exhibitor_online_c17(
    timed: Running, clock: ManualClock
) -> None:
    ground = timed.ground
    async with peer(timed.url, ground["buyer"].token) as buyer, peer(timed.url, ground["main"].token) as main:
        async with peer(timed.url, ground["sales"].token) as sales:
            await main.ok("team.update", account=str(ground["sales"].id), kind="exhibit")
            assert await sales.closed() == 4003  # it sees less from now on and starts anew
        async with peer(timed.url, ground["sales"].token):
            await main.hang_up()
            await passes(clock, GRACE_S + 2)
            await fence(buyer)
            assert await state(buyer, exhibitor(timed, "acme")) == "offline"


async def test_typing_reaches_the_other_side_alone_c16_w10(timed: Running) -> None:
    ground = timed.ground
    names = ("buyer", "main", "manager", "sales", "rival", "buyer2", "organiser")
    opened = [peer(timed.url, ground[name].token) for name in names]
    peers = {name: await one.__aenter__() for name, one in zip(names, opened, strict=True)}
    try:
        conversation = await chat(timed, peers["buyer"])  # main holds it
        await fence(*peers.values())
        holder = (
            "main"
            if (await peers["main"].ok("chat.show", conversation=conversation))["entry"].get("holds")
            else "sales"
        )
        await peers["buyer"].ok("chat.typing", conversation=conversation)
        await fence(*peers.values())
        shown = {name: ephemera(one) for name, one in peers.items()}
        assert {name for name, frames in shown.items() if frames} == {holder}
        assert shown[holder][0]["account"] == str(ground["buyer"].id)
        peers[holder].frames.clear()
        await peers[holder].ok("chat.typing", conversation=conversation)
        await peers["manager"].ok("chat.looking", conversation=conversation)
        await peers["buyer"].ok("chat.looking", conversation=conversation)
        await fence(*peers.values())
        shown = {name: ephemera(one) for name, one in peers.items()}
        assert {name for name, frames in shown.items() if frames} == {"buyer", holder}
        assert [(frame["t"], frame["account"]) for frame in shown["buyer"]] == [("typing", None)]
        assert [(frame["t"], frame["account"]) for frame in shown[holder]] == [("looking", str(ground["manager"].id))]
    finally:
        for one in opened:
            await one.__aexit__(None, None, None)


@pytest.fixture
async def handed_over(timed: Running) -> Any:
    """Buyer, giver and taker of a chat that was just transferred, the buyer having typed to the giver before."""
    ground = timed.ground
    async with (
        peer(timed.url, ground["buyer"].token) as buyer,
        peer(timed.url, ground["sales"].token) as giver,
        peer(timed.url, ground["sales2"].token) as taker,
        peer(timed.url, ground["main"].token) as main,
    ):
        conversation = await chat(timed, buyer)
        shown = await main.ok("chat.show", conversation=conversation)
        if shown["entry"]["holder"]["id"] != str(ground["sales"].id):
            await main.ok("chat.transfer", conversation=conversation, to=str(ground["sales"].id))
        await buyer.ok("chat.typing", conversation=conversation)
        await giver.wait(t="typing")
        await giver.ok("chat.typing", conversation=conversation)
        await giver.ok("presence.watch", subjects=[account(timed, "buyer")])
        await giver.ok("chat.transfer", conversation=conversation, to=str(ground["sales2"].id))
        await fence(buyer, giver, taker)
        for one in (buyer, giver, taker):
            one.frames.clear()
        yield conversation, buyer, giver, taker


async def test_after_a_transfer_typing_goes_to_the_new_holder_alone_c9_c16(timed: Running, handed_over: Any) -> None:
    conversation, buyer, giver, taker = handed_over
    await buyer.ok("chat.typing", conversation=conversation)
    assert await giver.refused("chat.typing", conversation=conversation) == "not_holder"
    await fence(buyer, giver, taker)
    assert [frame["t"] for frame in ephemera(taker)] == ["typing"]
    assert not ephemera(giver)
    assert not ephemera(buyer)


async def test_after_a_transfer_the_giver_watches_the_buyer_no_more_c9_w10(
    timed: Running, clock: ManualClock, handed_over: Any
) -> None:
    _, buyer, giver, _ = handed_over
    await fence(giver)
    await buyer.ok("presence.set", state="busy")
    await passes(clock, 1.0)
    await fence(giver)
    assert not ephemera(giver)
