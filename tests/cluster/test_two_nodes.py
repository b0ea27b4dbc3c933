"""Any node serves any account: chat, typing, presence, endings and devices over two nodes (A4, A6, C9, C16, C17, W3, W13)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.cluster.conftest import Pair
from tests.harness.clock import ManualClock
from tests.harness.node import Running
from tests.harness.peer import Peer, peer
from tests.harness.until import until
from tests.hub.wire import chat, fence, passes


async def settled(*nodes: Running) -> None:
    """What one node has told before, the other has heard: a message of each has come back around."""
    for node in nodes:
        for other in nodes:
            if node is not other:
                await _told(node, other)


async def _told(node: Running, other: Running) -> None:
    heard = asyncio.Event()
    ears = other.node.ground.relay
    before = ears.spent
    assert before is not None

    def listen(step: str, key: bytes) -> None:
        if step == "fence":
            heard.set()
        else:
            before(step, key)

    ears.spent = listen
    try:
        node.node.ground.relay.spend("fence", b"")
        async with asyncio.timeout(5):
            await heard.wait()
    finally:
        ears.spent = before


def seqs(one: Peer, conversation: str) -> list[int]:
    return [
        frame["body"]["message"]["seq"]
        for frame in one.heard
        if frame["t"] == "event"
        and frame["body"]["type"] == "message"
        and frame["body"]["message"]["conversation"] == conversation
    ]


async def state_at(one: Peer, subject: dict[str, str], wanted: str) -> None:
    """Ask until it shows; other nodes' news arrive when they arrive."""

    async def shows() -> bool:
        return bool((await one.ok("presence.query", subjects=[subject]))["states"][0]["state"] == wanted)

    await until(shows)


async def test_a_chat_over_two_nodes_is_in_order_in_both_codecs_w3_w4(pair: Pair) -> None:
    ground = pair.ground
    async with (
        peer(pair.one.url, ground["buyer"].token) as buyer,
        peer(pair.two.url, ground["buyer"].token, codec="json") as second,
        peer(pair.two.url, ground["main"].token, codec="json") as main,
        peer(pair.one.url, ground["main"].token) as desk,
    ):
        conversation = await chat(pair.one, buyer)
        holder = (await main.ok("chat.show", conversation=conversation))["entry"]["holder"]["id"]
        if holder != str(ground["main"].id):
            await main.ok("chat.take_over", conversation=conversation)
        for number in range(30):
            await asyncio.gather(
                buyer.ok("chat.send", conversation=conversation, text=f"b{number}"),
                main.ok("chat.send", conversation=conversation, text=f"m{number}"),
            )
        last = (await buyer.ok("chat.send", conversation=conversation, text="last"))["seq"]
        for one in (buyer, second, main, desk):
            await until(lambda one=one: last in seqs(one, conversation))  # type: ignore[misc]
            assert seqs(one, conversation) == sorted(set(seqs(one, conversation)))
        assert seqs(buyer, conversation) == seqs(second, conversation)
        bodies = [
            [frame["body"] for frame in one.heard if frame["t"] == "event" and frame["stream"] == "account"][-20:]
            for one in (buyer, second)
        ]
        assert bodies[0] == bodies[1], "the same body whether it was encoded here or came over the bus"
        assert pair.one.node.metrics.holes + pair.two.node.metrics.holes < 30, (
            "the log fills holes, it does not replace the bus"
        )


async def test_an_announcement_reaches_every_node_w2(pair: Pair) -> None:
    ground = pair.ground
    async with (
        peer(pair.one.url, ground["organiser"].token) as organiser,
        peer(pair.two.url, ground["buyer"].token) as far,
        peer(pair.one.url, ground["buyer2"].token, codec="json") as near,
    ):
        await organiser.ok("fair.announce", title="Doors", text="are open", language="en")
        assert (await far.event("announcement"))["title"] == "Doors"
        assert (await near.event("announcement"))["title"] == "Doors"


async def test_typing_crosses_nodes_c16(pair: Pair) -> None:
    ground = pair.ground
    async with (
        peer(pair.one.url, ground["buyer2"].token) as buyer,
        peer(pair.two.url, ground["main"].token, codec="json") as main,
        peer(pair.two.url, ground["sales"].token) as sales,
    ):
        conversation = await chat(pair.one, buyer)
        entry = (await main.ok("chat.show", conversation=conversation))["entry"]
        holder = main if entry["holder"]["id"] == str(ground["main"].id) else sales
        await settled(pair.one, pair.two)
        await buyer.ok("chat.typing", conversation=conversation)
        assert (await holder.wait(t="typing"))["account"] == str(ground["buyer2"].id)
        await holder.ok("chat.typing", conversation=conversation)
        assert (await buyer.wait(t="typing"))["account"] is None


async def test_after_a_transfer_at_another_node_typing_goes_to_the_new_holder_c9(
    timed: Pair, clock: ManualClock
) -> None:
    ground = timed.ground
    async with (
        peer(timed.one.url, ground["buyer"].token) as buyer,
        peer(timed.two.url, ground["sales"].token) as giver,
        peer(timed.one.url, ground["sales2"].token) as taker,
    ):
        conversation = await chat(timed.one, buyer)
        async with peer(timed.two.url, ground["main"].token) as main:
            if (await main.ok("chat.show", conversation=conversation))["entry"]["holder"]["id"] != str(
                ground["sales"].id
            ):
                await main.ok("chat.transfer", conversation=conversation, to=str(ground["sales"].id))
        await giver.ok("presence.watch", subjects=[{"kind": "account", "id": str(ground["buyer"].id)}])
        await settled(timed.one, timed.two)
        await buyer.ok("chat.typing", conversation=conversation)  # node one believes in the giver from now on
        await giver.wait(t="typing")
        await giver.ok("chat.transfer", conversation=conversation, to=str(ground["sales2"].id))  # at node two
        await settled(timed.one, timed.two)
        await buyer.ok("chat.typing", conversation=conversation)
        await taker.wait(t="typing")
        await buyer.ok("presence.set", state="busy")
        await settled(timed.one, timed.two)
        await passes(clock, 2.0)
        await fence(giver)
        assert not [frame for frame in giver.frames if frame["t"] in {"typing", "presence"}]


async def test_presence_is_the_best_over_nodes_and_told_to_watchers_c17(timed: Pair, clock: ManualClock) -> None:
    ground = timed.ground
    acme = {"kind": "exhibitor", "id": str(ground.exhibitors["acme"])}
    async with peer(timed.one.url, ground["buyer"].token) as buyer:
        await buyer.ok("presence.watch", subjects=[acme])
        async with (
            peer(timed.two.url, ground["main"].token) as main,
            peer(timed.one.url, ground["main"].token) as desk,
            peer(timed.two.url, ground["exhibit"].token),
        ):
            await desk.ok("presence.set", state="away")
            await state_at(buyer, acme, "online")
            await passes(clock, 1.0)
            assert (await buyer.wait(t="presence"))["states"] == [acme | {"state": "online"}]
            await main.ok("presence.set", state="busy")
            await state_at(buyer, acme, "busy")
            await passes(clock, 1.0)
            assert (await buyer.wait(t="presence"))["states"] == [acme | {"state": "busy"}]
        await settled(timed.one, timed.two)
        await state_at(buyer, acme, "busy")  # both are gone, and within their grace
        await passes(clock, 22.0)
        await settled(timed.one, timed.two)
        await state_at(buyer, acme, "offline")


async def test_a_node_that_dies_is_forgotten_within_the_grace_c17(timed: Pair, clock: ManualClock) -> None:
    ground = timed.ground
    subject = {"kind": "account", "id": str(ground["sales"].id)}
    async with (
        peer(timed.one.url, ground["main"].token) as main,
        peer(timed.two.url, ground["sales"].token),
    ):
        await state_at(main, subject, "online")
        timed.two.node.ground.relay.tell = None  # as dead: nothing is heard of it any more
        await passes(clock, 17.0)
        await state_at(main, subject, "online")
        await passes(clock, 5.0)
        await state_at(main, subject, "offline")
        assert timed.one.node.ground.presences.elsewhere.nodes == 0


async def test_routing_sees_who_is_online_at_another_node_c6(pair: Pair) -> None:
    ground = pair.ground
    async with peer(pair.two.url, ground["rival_sales"].token), peer(pair.one.url, ground["buyer"].token) as buyer:
        await state_at(buyer, {"kind": "exhibitor", "id": str(ground.exhibitors["rival"])}, "online")
        reply = await buyer.ok("chat.open", exhibitor=str(ground.exhibitors["rival"]))
        assert reply["entry"]["holder"]["id"] == str(ground["rival_sales"].id)


async def test_figures_count_sockets_and_people_of_all_nodes_a4(pair: Pair) -> None:
    ground = pair.ground
    async with (
        peer(pair.one.url, ground["organiser"].token) as organiser,
        peer(pair.one.url, ground["buyer"].token),
        peer(pair.two.url, ground["buyer"].token),
        peer(pair.two.url, ground["buyer2"].token),
        peer(pair.two.url, ground["far_buyer"].token),
    ):
        await settled(pair.one, pair.two)
        figures = await organiser.ok("organiser.figures")
        assert figures["sockets"] == 4
        assert figures["accounts_online"] == {"organiser": 1, "buyer": 2}


async def test_suspension_closes_sockets_of_other_nodes_a6(timed: Pair) -> None:
    ground = timed.ground
    async with (
        peer(timed.one.url, ground["organiser"].token) as organiser,
        peer(timed.two.url, ground["buyer2"].token) as there,
        peer(timed.one.url, ground["buyer2"].token) as here,
    ):
        began = asyncio.get_running_loop().time()
        await organiser.ok("organiser.suspend", account=str(ground["buyer2"].id), suspended=True, reason="spam")
        assert await there.closed() == 4501
        assert asyncio.get_running_loop().time() - began < 1.0
        assert await here.closed() == 4501


async def test_a_new_kind_of_account_starts_anew_at_every_node_w6(timed: Pair) -> None:
    ground = timed.ground
    async with peer(timed.one.url, ground["main"].token) as main, peer(timed.two.url, ground["sales"].token) as sales:
        await main.ok("team.update", account=str(ground["sales"].id), kind="exhibit")
        assert await sales.closed() == 4003


async def test_a_device_that_connects_elsewhere_replaces_its_older_socket_w13(pair: Pair) -> None:
    token = pair.ground["manager"].token
    async with peer(pair.one.url, token, device="phone") as older:
        opened = time.time_ns()
        while time.time_ns() - opened < 2_000_000:  # the nodes tell older from newer by the millisecond
            await fence(older)
        async with peer(pair.two.url, token, device="phone") as newer:
            assert await older.closed() == 4502
            await fence(newer)


async def test_ten_devices_over_all_nodes_and_an_eleventh_is_turned_away_w13(pair: Pair) -> None:
    token = pair.ground["far_main"].token
    opened: list[Any] = []
    try:
        for number in range(10):
            opened.append(peer((pair.one, pair.two)[number % 2].url, token, device=f"d{number}"))
            await opened[-1].__aenter__()
        await settled(pair.one, pair.two)
        for node in (pair.one, pair.two):
            async with peer(node.url, token, device="d10", until=None) as eleventh:
                assert await eleventh.closed() == 4502
        async with peer(pair.two.url, token, device="d0") as again:  # one of the ten may come back anywhere
            await fence(again)
    finally:
        for one in opened:
            await one.__aexit__(None, None, None)


async def test_nobody_else_pays_for_an_event_than_who_has_its_account_w3(pair: Pair) -> None:
    """A node without the account reads a position; it decodes and writes nothing."""
    ground = pair.ground
    async with peer(pair.one.url, ground["far_buyer"].token) as buyer:
        before = pair.two.node.metrics.deliveries
        conversation = await chat(pair.one, buyer, "far")
        await buyer.ok("chat.send", conversation=conversation, text="hello")
        await settled(pair.one, pair.two)
        assert pair.two.node.metrics.deliveries == before
