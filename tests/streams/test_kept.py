"""First states sent from memory: only while they are what would be read, within their bytes, and without losing what is said
meanwhile (W4, W5). That nothing changes without an event, on which it rests, is what `test_first_state` holds to the byte."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from fairwire_protocol.codec import JSON, MSGPACK
from fairwire_protocol.models import Position
from fairwire_server.accounts.tokens import TokenFacts
from fairwire_server.compose import Node
from fairwire_server.hub.first import FirstStates, Frames
from fairwire_server.streams.arrivals import Arrival, Arrivals
from tests.harness.clock import ManualClock
from tests.harness.node import Running, running_node
from tests.harness.peer import Peer, peer
from tests.streams.crowd import Crowd, gather, run


@dataclass(slots=True)
class World:
    """A node, and one chat between a buyer and an exhibitor's main account."""

    running: Running
    clock: ManualClock
    crowd: Crowd
    chat: UUID

    @property
    def node(self) -> Node:
        """The node."""
        return self.running.node

    async def say(self, who: str, text: str) -> None:
        """A message in the chat."""
        await run(self.node, self.crowd.callers[who], "chat.send", conversation=self.chat, text=text)

    async def state(self, who: str, **how: Any) -> list[dict[str, Any]]:
        """The first state that a device gets, as a list of its parts."""
        async with peer(self.running.url, self.crowd.token(who), **how) as device:
            parts = [frame for frame in device.heard if frame["t"] == "snapshot"]
        parts[0]["account"].setdefault("state", "active")  # a default is said or left out
        return parts

    async def arrival(self, who: str) -> Arrival:
        """Who arrives now."""
        return await self.node.ground.arrivals.anew(self.crowd.callers[who].session)

    @property
    def kept(self) -> int:
        """How many first states came from memory so far."""
        return self.node.metrics.snapshots_kept


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[World]:
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock) as running:
        crowd = await gather(running.node)
        reply = await run(running.node, crowd.callers["buyer"], "chat.open", exhibitor=crowd.exhibitors["acme"])
        world = World(running, clock, crowd, reply.entry.conversation)
        await world.say("buyer", "first")
        yield world


@pytest.mark.parametrize("codec", ["msgpack", "json"])
async def test_a_state_is_sent_again_only_while_the_stream_stands_still_w5(world: World, codec: str) -> None:
    read = await world.state("main", codec=codec)
    assert world.kept == 0
    assert await world.state("main", codec=codec) == read
    assert world.kept == 1
    await world.say("buyer", "second")
    changed = await world.state("main", codec=codec)
    assert world.kept == 1, "what the stream has left behind was sent"
    assert [m["text"] for part in changed for m in part.get("messages", ())] == ["first", "second"]
    assert await world.state("main", codec=codec) == changed
    assert world.kept == 2


async def test_a_state_from_memory_is_acknowledged_like_any_other_w9(world: World) -> None:
    await world.state("main")
    url, crowd = world.running.url, world.crowd
    async with peer(url, crowd.token("buyer")) as buyer, peer(url, crowd.token("main")) as device:
        assert world.kept == 1
        await device.send({"t": "ack", "pos": device.account[1], "fair_pos": device.fair[1]})
        await device.ok("account.show")
        world.clock.advance(1)  # receipts are gathered
        assert (await buyer.event("marker"))["marker"]["received"] == 1


async def test_time_alone_ends_what_is_kept_w5(world: World) -> None:
    await world.say("main", "hello")
    crowd, first = world.crowd, world.node.ground.first_states
    to = crowd.ids["sales"]
    await run(world.node, crowd.callers["main"], "chat.transfer", conversation=world.chat, to=to, ask_first=True)
    frames, _, _ = await first.read(crowd.callers["sales"], MSGPACK)
    while (arrival := await world.arrival("sales")).account != frames.account:  # a notice may have come in between
        frames, _, _ = await first.read(crowd.callers["sales"], MSGPACK)
    assert first.kept(arrival, MSGPACK) is frames
    world.clock.advance(world.node.settings.offer_s - 1)
    assert first.kept(arrival, MSGPACK) is frames
    world.clock.advance(1)
    assert first.kept(arrival, MSGPACK) is None


async def test_a_new_epoch_another_kind_and_another_codec_are_read_w6(world: World) -> None:
    first, arrival = world.node.ground.first_states, await world.arrival("main")
    frames, _, _ = await first.read(arrival.caller, MSGPACK)
    assert first.kept(arrival, JSON) is None
    assert first.kept(arrival, MSGPACK) is frames
    renewed = Position(epoch=arrival.account.epoch + 1, pos=arrival.account.pos)
    assert first.kept(Arrival(arrival.caller, arrival.me, renewed, arrival.fair), MSGPACK) is None
    assert first.bytes == 0, "what is of no use any more is let go"


async def test_who_has_changed_since_its_arrival_starts_as_it_is_now_w5(world: World) -> None:
    """What was found out on arrival is told again only where the stream still stands as it did then."""
    first, arrival = world.node.ground.first_states, await world.arrival("buyer")
    _, me, _ = await first.read(arrival.caller, MSGPACK, arrival)
    assert me is arrival.me
    await run(world.node, arrival.caller, "account.update", name="Renamed")
    frames, me, _ = await first.read(arrival.caller, MSGPACK, arrival)
    assert (me.name, frames.account.pos > arrival.account.pos) == ("Renamed", True)


async def test_memory_is_bounded_and_the_longest_unused_goes_first(world: World) -> None:
    ground, names = world.node.ground, ("buyer", "main", "manager")
    arrivals = {name: await world.arrival(name) for name in names}

    async def read(first: FirstStates, name: str) -> Frames:
        return (await first.read(arrivals[name].caller, MSGPACK))[0]

    whole = FirstStates(ground.snapshots, world.clock, 1_000_000)
    for name in names:
        await read(whole, name)
    first = FirstStates(ground.snapshots, world.clock, whole.bytes - 1)
    await read(first, "buyer")
    await read(first, "main")
    assert first.kept(arrivals["buyer"], MSGPACK) is not None
    await read(first, "manager")
    assert first.bytes < whole.bytes
    assert [first.kept(arrivals[name], MSGPACK) is not None for name in names] == [True, False, True]
    none = FirstStates(ground.snapshots, world.clock, 0)
    await read(none, "main")
    assert (none.bytes, none.kept(arrivals["main"], MSGPACK)) == (0, None)


class Overtaken(Arrivals):
    """The node's, where somebody says something between the statement's answer and the socket's place in the hub."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._real = world.node.ground.arrivals

    async def anew(self, session: UUID) -> Arrival:
        arrival = await self._real.anew(session)
        await self._world.say("buyer", "meanwhile")
        return arrival

    async def resuming(self, session: UUID, at: Position, fair_at: Position) -> Arrival:
        arrival = await self._real.resuming(session, at, fair_at)
        await self._world.say("buyer", "meanwhile")
        return arrival


@pytest.mark.parametrize("resuming", [False, True])
async def test_what_is_committed_while_somebody_arrives_is_not_missed_w4(
    world: World, monkeypatch: pytest.MonkeyPatch, resuming: bool
) -> None:
    await world.state("main")  # to be kept
    overtaken = Overtaken(world)
    arrival = await world.arrival("main")
    at = {"epoch": arrival.account.epoch, "pos": arrival.account.pos}
    fair = {"epoch": arrival.fair.epoch, "pos": arrival.fair.pos}
    real = Node.arrive

    async def arrive(node: Node, facts: TokenFacts, resume: Any) -> Arrival:
        if resume is None:
            return await overtaken.anew(facts.session)
        return await overtaken.resuming(facts.session, resume.account, resume.fair)

    monkeypatch.setattr(Node, "arrive", arrive)
    resume = {"account": at, "fair": fair} if resuming else None
    async with peer(world.running.url, world.crowd.token("main"), resume=resume) as device:
        monkeypatch.setattr(Node, "arrive", real)
        await _says_meanwhile(device)
        assert world.kept == (not resuming)


async def _says_meanwhile(device: Peer) -> None:
    body = await device.event("message")
    assert body["message"]["text"] == "meanwhile"
