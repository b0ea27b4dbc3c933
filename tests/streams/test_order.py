"""W4: positions come from the transaction that writes, and leave a socket in their order, however commits and news race."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

import fairwire
from fairwire_protocol.errors import FairwireError
from fairwire_protocol.events import Notice
from fairwire_protocol.frames import Resume
from fairwire_server.accounts.tokens import TokenFacts
from fairwire_server.bus.notify import notify
from fairwire_server.clock import milliseconds
from fairwire_server.compose import Node
from fairwire_server.streams.arrivals import Arrival
from fairwire_server.streams.service import Streams
from fairwire_server.streams.store import StreamStore
from fairwire_server.streams.told import Appended, FairAppended
from tests.harness.clock import ManualClock
from tests.harness.node import Running, running_node
from tests.harness.peer import peer
from tests.harness.until import until
from tests.streams.crowd import BUYERS, Crowd, gather, run
from tests.streams.followers import arrived, same, snapshot

WRITERS: Final = 64
READERS: Final = ("main", "manager", "sales", "sales2", "buyer", "buyer2")
Published = list[Appended | FairAppended]


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """A node whose clock stands still: nothing happens by itself."""
    async with running_node(database_url, tmp_path, ManualClock()) as running:
        yield running


async def append(node: Node, streams: Streams, accounts: Sequence[UUID], label: UUID) -> None:
    """One event for each account, in one transaction."""
    async with node.works.begin() as work:
        event = Notice(kind="report", conversation=label, ts=milliseconds(work.now))
        await streams.announce(work, [(account, event) for account in accounts])


async def test_sixty_four_writers_leave_no_gap_and_no_disorder_w4(running: Running) -> None:
    """At no instant is a position visible whose predecessor is not; live sockets get them in order, once."""
    node, ground, dice = running.node, running.ground, random.Random(4)
    ids = [ground[name].id for name in READERS]
    sql = (await gather(node)).sql
    written: dict[UUID, int] = dict.fromkeys(ids, 0)

    async def write(writer: int) -> None:
        for _ in range(8):
            chosen = dice.sample(ids, dice.randint(1, len(ids)))
            await append(node, node.ground.streams, chosen, UUID(int=writer))
            for account in chosen:
                written[account] += 1

    async def look() -> int:
        looks = 0
        while writing:
            async with node.works.read() as work:
                row = await work.connection.fetchrow(sql["gaps"], ids[looks % len(ids)])
            assert row is not None
            assert row["top"] == row["events"] == row["newest"], "a position is there before the one below it"
            looks += 1
        return looks

    async with peer(running.url, ground["main"].token) as main, peer(running.url, ground["buyer"].token) as buyer:
        writing = True
        looking = asyncio.create_task(look())
        await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
        writing = False
        assert await looking > 20
        for one, name in ((main, "main"), (buyer, "buyer")):
            top = written[ground[name].id]
            assert await one.reached("account", top) == list(range(1, top + 1))


class _Late(Streams):
    """Commits, and keeps the news for the test to publish."""

    def __init__(self) -> None:
        self.news: Published = []
        super().__init__(StreamStore(), self.news.extend)


async def test_news_that_overtake_each_other_are_put_in_order_w4(running: Running) -> None:
    node, ground, late = running.node, running.ground, _Late()
    main = ground["main"].id
    async with peer(running.url, ground["main"].token) as one:
        for number in range(60):
            await append(node, late, [main], UUID(int=number))
        dice = random.Random(44)
        for start in range(0, 60, 6):
            batch = late.news[start : start + 6]
            dice.shuffle(batch)
            node.ground.hub.publish(batch)
        assert await one.reached("account", 60) == list(range(1, 61))
        # the hub waited for what was missing: it never had to read the log
        assert node.metrics.holes > 0
        assert node.metrics.lagged == 0


async def test_a_hole_that_stays_is_read_from_the_log_after_100_ms_w4(running: Running) -> None:
    node, ground, late = running.node, running.ground, _Late()
    loop = asyncio.get_running_loop()
    async with peer(running.url, ground["main"].token) as one:
        for number in range(5):
            await append(node, late, [ground["main"].id], UUID(int=number))
        started = loop.time()
        node.ground.hub.publish([late.news[4], late.news[0], late.news[1]])  # 3 and 4 never come
        assert await one.reached("account", 2) == [1, 2]
        assert await one.reached("account", 5) == [1, 2, 3, 4, 5]
        assert loop.time() - started >= 0.1
        node.ground.hub.publish(late.news[2:4])  # far too late, and known
        await append(node, node.ground.streams, [ground["main"].id], UUID(int=6))
        assert await one.reached("account", 6) == [1, 2, 3, 4, 5, 6]


async def test_a_helpers_notify_has_the_hub_look_w4(running: Running) -> None:
    node, ground, late = running.node, running.ground, _Late()
    async with peer(running.url, ground["main"].token) as one:
        for number in range(3):
            await append(node, late, [ground["main"].id], UUID(int=number))
        async with node.works.begin() as work:
            await notify(work.connection, {"look": [str(ground["main"].id)]})
        assert await one.reached("account", 3) == [1, 2, 3]


async def test_a_helpers_news_between_reading_and_attaching_is_not_missed_w4(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel is followed already, and where it stands is known to nobody yet."""
    node, main, late = running.node, running.ground["main"], _Late()
    real = Node.arrive

    async def arrive(node: Node, facts: TokenFacts, resume: Resume | None) -> Arrival:
        arrival = await real(node, facts, resume)
        await append(node, late, [main.id], UUID(int=1))  # by a process that tells by NOTIFY
        async with node.works.begin() as work:
            await notify(work.connection, {"look": [str(main.id)]})
        await until(lambda: compared == [1])
        return arrival

    compared: list[int] = []
    stands = node.ground.hub.stands

    def noted(stream: UUID, epoch: int, pos: int, *, fair: bool = False) -> None:
        stands(stream, epoch, pos, fair=fair)
        if stream == main.id:
            compared.append(pos)

    monkeypatch.setattr(node.ground.hub, "stands", noted)
    async with peer(running.url, main.token) as one:
        (resumed,) = (frame for frame in one.heard if frame["t"] == "resumed")
    monkeypatch.setattr(Node, "arrive", arrive)
    async with peer(running.url, main.token, resume={name: resumed[name] for name in ("account", "fair")}) as one:
        assert await one.reached("account", 1) == [1]


async def test_a_notify_missed_while_the_bus_was_down_is_made_up_for_w4(running: Running) -> None:
    """The connection that listens is lost; when it is back, every stream is looked at."""
    node, ground, late = running.node, running.ground, _Late()
    clock = node.clock
    assert isinstance(clock, ManualClock)
    crowd = await gather(node)
    async with peer(running.url, ground["main"].token) as one:
        async with node.works.read() as work:
            assert await work.connection.fetchval(crowd.sql["end_listener"]) == 1
        for number in range(3):
            await append(node, late, [ground["main"].id], UUID(int=number))
        for seconds in (5.5, 1.5):  # it looks after its connection, then takes a new one
            idle = clock.sleeping
            clock.advance(seconds)
            async with asyncio.timeout(20):
                await clock.until_sleeping(idle)
        assert await one.reached("account", 3) == [1, 2, 3]


async def test_a_rename_waits_for_the_messages_on_their_way_w4_w5(running: Running) -> None:
    """They tell the name that they have read: the rename comes after them in every stream, or before they read it."""
    node = running.node
    crowd = await gather(node)
    reply = await run(node, crowd.callers["buyer"], "chat.open", exhibitor=crowd.exhibitors["acme"])
    async with node.works.read() as read:
        holder = crowd.name_of(await read.connection.fetchval(crowd.sql["holder"], reply.entry.conversation))

    for name in (holder, "buyer"):
        async with node.works.begin() as work:
            await node.ground.chat_store.lock(work.connection, [reply.entry.conversation])
            renaming = asyncio.create_task(run(node, crowd.callers[name], "account.update", name=f"{name} now"))
            await until(partial(_done_or_waiting, crowd, renaming))
            assert not renaming.done(), "a message that is being written would tell the old name after the new one"
        await renaming


async def test_who_hands_over_waits_for_its_own_rename_w4_a6(running: Running) -> None:
    """What the handover says of it comes after the rename in every stream, so it must say the new name."""
    node = running.node
    crowd = await gather(node)
    args: dict[str, Any] = {"account": crowd.ids["sales"], "enabled": False, "handover_to": crowd.ids["sales2"]}
    async with node.works.begin() as work:
        await work.connection.execute(crowd.sql["rename"], crowd.ids["main"], "main now")
        moving = asyncio.create_task(run(node, crowd.callers["main"], "team.update", **args))
        await until(partial(_done_or_waiting, crowd, moving))
        assert not moving.done(), "it has read the old name"
    await moving


async def _done_or_waiting(crowd: Crowd, task: asyncio.Task[Any]) -> bool:
    async with crowd.node.works.read() as read:
        return task.done() or bool(await read.connection.fetchval(crowd.sql["waits"]))


async def test_nobody_waits_in_a_ring_w4(running: Running) -> None:
    """Everything at once on the same few chats and streams: no deadlock, no fault, and one state for everybody in the end."""
    node = running.node
    crowd = await gather(node)
    chats = []
    for buyer in BUYERS:
        reply = await run(node, crowd.callers[buyer], "chat.open", exhibitor=crowd.exhibitors["acme"])
        chats.append(reply.entry.conversation)
        await run(node, crowd.callers[buyer], "chat.send", conversation=chats[-1], text="first")
        await run(node, crowd.callers["main"], "customers.add", buyer=crowd.ids[buyer])
    codes: set[str] = set()
    async with (
        fairwire.connect(running.url, token=crowd.token("main")) as main_device,
        fairwire.connect(running.url, token=crowd.token("buyer")) as buyer_device,
    ):
        await asyncio.gather(*(_busy(crowd, chats, codes, random.Random(number)) for number in range(24)))
        await node.services.receipts.flush()
        async with node.works.read() as work:
            assert await work.connection.fetchval(crowd.sql["deadlocks"]) == 0
        assert not codes & {"internal", "busy", "database"}, codes
        for name, live in (("main", main_device), ("buyer", buyer_device)):
            fresh = await snapshot(node, crowd, name)
            await arrived(live, fresh.account.pos)
            same(live.state, fresh.state, milliseconds(node.clock.now()), name)


async def _busy(crowd: Crowd, chats: list[UUID], codes: set[str], dice: random.Random) -> None:
    """Somebody who does this and that."""
    team = ("main", "manager", "sales", "sales2")
    for _ in range(12):
        number = dice.randrange(len(chats))
        chat, buyer, colleague = chats[number], BUYERS[number], dice.choice(team)
        seq = dice.randrange(1, 9)
        who, op, args = dice.choice(
            (
                (buyer, "chat.send", {"text": "hello"}),
                (colleague, "chat.send", {"text": "hello"}),
                (colleague, "chat.transfer", {"to": crowd.ids[dice.choice(team)]}),
                ("manager", "chat.take_over", {}),
                (dice.choice((buyer, colleague)), "contacts.pin", {"pinned": dice.random() < 0.7}),
                (colleague, "contacts.star", {"starred": dice.random() < 0.7}),
                (buyer, "chat.recall", {"seq": seq}),
                (colleague, "chat.handle", {}),
                (dice.choice((buyer, colleague)), "ack", {"seq": seq}),
                (buyer, "account.update", {"name": f"{buyer} {seq}"}),
                (colleague, "account.update", {"name": f"{colleague} {seq}"}),
            )
        )
        try:
            if op == "ack":
                crowd.node.services.receipts.received(crowd.ids[who], {chat: seq})
                await crowd.node.services.receipts.flush()
            elif op == "account.update":
                await run(crowd.node, crowd.callers[who], op, **args)
            else:
                await run(crowd.node, crowd.callers[who], op, conversation=chat, **args)
        except FairwireError as error:
            codes.add(error.code)
