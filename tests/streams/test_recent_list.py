"""K1, K4: the recent list holds exactly the right contacts, in the right order, whoever computes it.

The model is written from the rules alone: pinned ones first, then the newest messages of the account's own stream, as many as
the limit lets in. It is held against the server's list, its snapshot, and what two devices have made of the events.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import fairwire
from fairwire_protocol.errors import Refused
from tests.harness.node import Running, running_node
from tests.streams.crowd import Crowd, gather, run
from tests.streams.followers import arrived, snapshot

LIMIT: Final = 4
PINS: Final = 2
ACT = st.tuples(st.sampled_from(("write", "write", "write", "answer", "pin", "unpin", "star")), st.integers(0, 8))
CALM = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


class Model:
    """One account's list by the rules."""

    def __init__(self, limit: int, pins: int) -> None:
        self.limit = limit
        self.pins = pins
        self.newest: list[UUID] = []
        """Conversations, the one with the newest message last."""
        self.pinned: set[UUID] = set()

    def message(self, conversation: UUID) -> None:
        """Either way (K1)."""
        if conversation in self.newest:
            self.newest.remove(conversation)
        self.newest.append(conversation)

    @property
    def shown(self) -> list[UUID]:
        """Pinned ones by newest message, then the others, while there is room."""
        ordered = self.newest[::-1]
        pinned = [one for one in ordered if one in self.pinned]
        return [*pinned, *(one for one in ordered if one not in self.pinned)][: self.limit]


class Small:
    """A node whose lists are short. A plain class: hypothesis would print all of a dataclass."""

    def __init__(self, running: Running) -> None:
        self.running = running


@pytest.fixture
async def small(database_url: str, tmp_path: Path) -> AsyncIterator[Small]:
    """Lists of 5, 2 pins."""
    async with running_node(database_url, tmp_path, recent_max=LIMIT, pins_max=PINS) as running:
        yield Small(running)


@settings(
    max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=CALM, phases=(Phase.generate,)
)
@given(acts=st.lists(ACT, min_size=20, max_size=50))
async def test_the_list_is_the_models_after_every_step_k1_k4(small: Small, acts: list[tuple[str, int]]) -> None:
    node = small.running.node
    crowd, model = await gather(node, more=9), Model(LIMIT, PINS)
    chats = await _opened(crowd, 9)
    feeds = 0
    async with fairwire.connect(small.running.url, token=crowd.token("main")) as device:
        for act, number in acts:
            feeds += await _act(crowd, model, chats[number], number, act)
            listed = await run(node, crowd.callers["main"], "contacts.recent")
            assert [entry.conversation for entry in listed.entries] == model.shown
            assert len(listed.entries) <= LIMIT
            async with node.works.read() as work:
                top = await work.connection.fetchval(crowd.sql["top"], crowd.ids["main"])
            await arrived(device, top)
            assert [entry.conversation for entry in device.state.recent] == model.shown
        first = await snapshot(node, crowd, "main")
        assert [entry.conversation for entry in first.state.recent] == model.shown
        # nothing that was pushed out is gone: history and unread still reach it (K1)
        for conversation in model.newest:
            page = await run(node, crowd.callers["main"], "chat.history", conversation=conversation)
            assert page.messages
    assert feeds


async def _opened(crowd: Crowd, count: int) -> list[UUID]:
    chats = []
    for number in range(count):
        reply = await run(crowd.node, crowd.callers[f"x{number}"], "chat.open", exhibitor=crowd.exhibitors["acme"])
        chats.append(reply.entry.conversation)
        await run(crowd.node, crowd.callers["main"], "customers.add", buyer=crowd.ids[f"x{number}"])
    return chats


async def _act(crowd: Crowd, model: Model, chat: UUID, number: int, act: str) -> int:
    """One step on both sides; how many messages it was."""
    main, buyer = crowd.callers["main"], crowd.callers[f"x{number}"]
    if act == "write" or (act == "answer" and chat in model.newest):
        await run(crowd.node, buyer if act == "write" else main, "chat.send", conversation=chat, text="hello")
        model.message(chat)
        return 1
    if act == "star":  # a star moves nothing (K1)
        await run(crowd.node, main, "contacts.star", conversation=chat, starred=True)
    elif act == "pin" and chat not in model.pinned and len(model.pinned) == PINS:
        with pytest.raises(Refused, match="pinned") as refused:
            await run(crowd.node, main, "contacts.pin", conversation=chat, pinned=True)
        assert refused.value.code == "pin_limit"
    elif act in {"pin", "unpin"}:
        await run(crowd.node, main, "contacts.pin", conversation=chat, pinned=act == "pin")
        (model.pinned.add if act == "pin" else model.pinned.discard)(chat)
    return 0


async def _many_writers(running: Running, buyers: int, messages: int) -> None:
    """64 write at once, others pin and unpin; the stream itself says what the list must be."""
    node, limit = running.node, running.node.settings.recent_max
    crowd = await gather(node, more=buyers)
    chats = await _opened(crowd, buyers)
    dice, most, refused = random.Random(64), 0, set[str]()
    async with AsyncExitStack() as stack:
        devices = [
            await stack.enter_async_context(
                fairwire.connect(running.url, token=crowd.token("main"), device=f"device{n}")
            )
            for n in range(2)
        ]

        @devices[0].on("*")
        def watch(_: object) -> None:
            nonlocal most
            most = max(most, len(devices[0].state.entries))

        async def write(writer: int) -> None:
            for _ in range(messages):
                number = dice.randrange(buyers)
                caller = crowd.callers[f"x{number}"]
                await run(node, caller, "chat.send", conversation=chats[number], text=f"{writer}")
                if dice.random() < 0.2:
                    try:
                        pinned = dice.random() < 0.6
                        await run(
                            node, crowd.callers["main"], "contacts.pin", conversation=chats[number], pinned=pinned
                        )
                    except Refused as error:
                        refused.add(error.code)

        await asyncio.gather(*(write(writer) for writer in range(64)))
        first = await snapshot(node, crowd, "main")
        model = Model(limit, node.settings.pins_max)
        async with node.works.read() as work:
            for row in await work.connection.fetch(crowd.sql["messages_told"], crowd.ids["main"]):
                model.message(row["conversation_id"])
            rows = await work.connection.fetch(crowd.sql["pins"], crowd.ids["main"])
            model.pinned = {row["conversation_id"] for row in rows}
        assert len(model.pinned) <= node.settings.pins_max
        assert [entry.conversation for entry in first.state.recent] == model.shown
        for device in devices:
            await arrived(device, first.account.pos)  # receipts may have come meanwhile; they move nothing
            shown = [(entry.conversation, entry.at, entry.pinned_at, entry.last) for entry in device.state.recent]
            assert shown == [
                (entry.conversation, entry.at, entry.pinned_at, entry.last) for entry in first.state.recent
            ]
    assert refused <= {"pin_limit"}
    assert most == limit, "the list was full, and never above"


async def test_sixty_four_writers_at_once_k1(small: Small) -> None:
    await _many_writers(small.running, buyers=16, messages=6)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_sixty_four_writers_at_three_hundred_k1(database_url: str, tmp_path: Path) -> None:
    async with running_node(database_url, tmp_path) as running:
        await _many_writers(running, buyers=330, messages=40)
