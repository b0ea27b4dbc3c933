"""The bus may lose everything at any time: positions recover, nobody stays shown online, nobody keeps a socket (A6, C17, W4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.cluster.conftest import Pair, two_nodes
from tests.cluster.test_two_nodes import seqs, state_at
from tests.harness.peer import Peer, peer
from tests.harness.proxy import FaultProxy, fault_proxy
from tests.harness.until import until
from tests.harness.valkey import Valkey, valkey_cluster
from tests.hub.wire import chat


@pytest.fixture
async def own(database_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two nodes on a Valkey of their own, which this test may kill."""
    async with Valkey() as valkey, two_nodes(database_url, tmp_path, (valkey.url, valkey.url)) as (one, two):
        yield Pair(one, two, valkey)


@pytest.fixture
async def parted(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Pair, FaultProxy]]:
    """Two nodes, the second of which reaches the bus by a line that can fail."""
    async with Valkey() as valkey, fault_proxy(valkey.socket) as line:
        urls = valkey.url, f"redis://127.0.0.1:{line.port}"
        async with two_nodes(database_url, tmp_path, urls) as (one, two):
            yield Pair(one, two, valkey), line


@asynccontextmanager
async def talking(pair: Pair) -> AsyncIterator[tuple[Peer, Peer, str]]:
    """A buyer at the first node and main, who holds the chat, at the second."""
    ground = pair.ground
    async with (
        peer(pair.one.url, ground["buyer"].token) as buyer,
        peer(pair.two.url, ground["main"].token) as main,
    ):
        conversation = await chat(pair.one, buyer)
        if (await main.ok("chat.show", conversation=conversation))["entry"]["holder"]["id"] != str(ground["main"].id):
            await main.ok("chat.take_over", conversation=conversation)
        yield buyer, main, conversation


async def both_ways(buyer: Peer, main: Peer, conversation: str, within: float) -> None:
    """A message each way arrives, in order and once."""
    for sender, receiver in ((buyer, main), (main, buyer)):
        seq = (await sender.ok("chat.send", conversation=conversation, text="on"))["seq"]
        await until(lambda r=receiver, s=seq: s in seqs(r, conversation), within)  # type: ignore[misc]
        assert seqs(receiver, conversation) == sorted(set(seqs(receiver, conversation)))


async def test_a_node_cut_off_from_the_bus_misses_nothing_and_others_miss_nothing_of_it_w4(
    parted: tuple[Pair, FaultProxy],
) -> None:
    pair, line = parted
    async with talking(pair) as (buyer, main, conversation):
        await both_ways(buyer, main, conversation, 1.0)
        line.up.set(blackhole=True)
        line.down.set(blackhole=True)
        for sender, receiver in ((buyer, main), (main, buyer)):
            # Nobody knows yet that the line is dead: 2.5 s to see it, a second to look.
            seq = (await sender.ok("chat.send", conversation=conversation, text="into the hole"))["seq"]
            await until(lambda r=receiver, s=seq: s in seqs(r, conversation), 5.0)  # type: ignore[misc]
        assert pair.one.node.bus.connected
        assert not pair.two.node.bus.connected
        await both_ways(buyer, main, conversation, 2.0)
        line.up.heal()
        line.down.heal()
        await until(lambda: pair.two.node.bus.connected)
        await both_ways(buyer, main, conversation, 1.0)
        assert seqs(buyer, conversation) == seqs(main, conversation)[-len(seqs(buyer, conversation)) :]


async def test_with_the_bus_gone_chat_goes_on_and_presence_is_right_when_it_is_back_empty_c17_w4(own: Pair) -> None:
    async with talking(own) as (buyer, main, conversation):
        acme = {"kind": "exhibitor", "id": str(own.ground.exhibitors["acme"])}
        await state_at(buyer, acme, "online")
        await own.valkey.kill()
        await until(lambda: not (own.one.node.bus.connected or own.two.node.bus.connected))
        await both_ways(buyer, main, conversation, 2.5)
        await main.ok("presence.set", state="busy")  # nobody can be told now
        await own.valkey.start()
        await state_at(buyer, acme, "busy")
        took = await until(lambda: own.one.node.bus.connected and own.two.node.bus.connected)
        assert took < 10
        await both_ways(buyer, main, conversation, 1.0)


async def test_a_suspension_while_the_bus_is_gone_closes_within_three_seconds_a6(own: Pair) -> None:
    ground = own.ground
    async with (
        peer(own.one.url, ground["organiser"].token) as organiser,
        peer(own.two.url, ground["buyer2"].token) as there,
    ):
        await own.valkey.kill()
        await until(lambda: not own.one.node.bus.connected)
        await organiser.ok("organiser.suspend", account=str(ground["buyer2"].id), suspended=True, reason="spam")
        async with asyncio.timeout(3.0):
            assert await there.closed() == 4501


async def test_a_new_epoch_while_the_bus_is_gone_is_noticed_w6(own: Pair) -> None:
    ground = own.ground
    async with (
        peer(own.one.url, ground["main"].token) as main,
        peer(own.two.url, ground["sales"].token) as sales,
    ):
        await own.valkey.kill()
        await until(lambda: not own.one.node.bus.connected)
        await main.ok("team.update", account=str(ground["sales"].id), kind="exhibit")
        assert await sales.closed() == 4003


async def test_two_nodes_talk_over_a_valkey_cluster_of_three(database_url: str, tmp_path: Path) -> None:
    async with (
        valkey_cluster() as servers,
        two_nodes(database_url, tmp_path, (servers[0].url, servers[1].url)) as (one, two),
        talking(Pair(one, two, servers[0])) as (buyer, main, conversation),
    ):
        assert one.node.bus.connected
        assert two.node.bus.connected
        await state_at(buyer, {"kind": "exhibitor", "id": str(one.ground.exhibitors["acme"])}, "online")
        for _ in range(5):
            await both_ways(buyer, main, conversation, 1.0)


async def test_nodes_start_and_serve_while_the_bus_is_gone_w4(database_url: str, tmp_path: Path) -> None:
    async with Valkey() as valkey:
        await valkey.kill()
        async with (
            two_nodes(database_url, tmp_path, (valkey.url, valkey.url)) as (one, two),
            talking(Pair(one, two, valkey)) as (buyer, main, conversation),
        ):
            await both_ways(buyer, main, conversation, 2.5)
            await valkey.start()
            await until(lambda: one.node.bus.connected and two.node.bus.connected)
            await both_ways(buyer, main, conversation, 1.0)
