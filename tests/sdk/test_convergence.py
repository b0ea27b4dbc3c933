"""Whatever five people do to each other while their lines are cut, each one's kept state is what the server shows afresh (W5, W6)."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest

import fairwire
from fairwire.state import State
from tests.harness.node import Running
from tests.harness.proxy import FaultProxy, fault_proxy

CAST = ("buyer", "buyer2", "main", "sales", "sales2")
STEPS = 60


class Play:
    """Five clients, each behind a proxy, and what they may do."""

    def __init__(
        self, clients: dict[str, fairwire.Client], proxies: dict[str, FaultProxy], exhibitor: Any, dice: Random
    ) -> None:
        self.clients = clients
        self.proxies = proxies
        self.exhibitor = exhibitor
        self.dice = dice
        self.done: Counter[str] = Counter()

    async def step(self) -> None:
        """One random act. Refusals are part of the play: what is refused must leave no trace either."""
        dice = self.dice
        name = dice.choice(CAST)
        who = self.clients[name]
        if dice.random() < 0.1:
            self.proxies[name].reset()
            self.done["cut"] += 1
            return
        chats = list(who.state.entries)
        if not chats:
            return
        chat = dice.choice(chats)
        entry = who.state.entries[chat]
        acts = ["send"] * 4 + ["read", "recall", "pin", "unpin", "block", "unblock"]
        if not name.startswith("buyer"):
            acts += ["transfer"] * 3 + ["ask", "answer", "take", "handle", "add", "star"]
        act = dice.choice(acts)
        with suppress(fairwire.Refused):
            await self._act(who, act, chat, entry)
            self.done[act] += 1

    async def _act(self, who: fairwire.Client, act: str, chat: Any, entry: Any) -> None:
        match act:
            case "send":
                await who.chat.send(conversation=chat, text=f"text {self.dice.random()}")
            case "read":
                await who.chat.read(conversation=chat, seq=entry.last_seq)
            case "recall":
                await who.chat.recall(conversation=chat, seq=self.dice.randint(1, entry.last_seq))
            case "pin" | "unpin":
                await who.contacts.pin(conversation=chat, pinned=act == "pin")
            case "block" | "unblock":
                await who.chat.block(conversation=chat, blocked=act == "block" and self.dice.random() < 0.3)
            case "transfer" | "ask":
                to = self.dice.choice(
                    [other for other in ("main", "sales", "sales2") if self.clients[other] is not who]
                )
                await who.chat.transfer(conversation=chat, to=self.clients[to].me.id, note="n", ask_first=act == "ask")
            case "answer":
                for offer in who.state.offers.values():
                    if offer.to.id == who.me.id:
                        await who.chat.answer_offer(offer=offer.id, accept=self.dice.random() < 0.5)
                        return
            case "take":
                await who.chat.take_over(conversation=chat)
            case "handle":
                await who.chat.handle(conversation=chat)
            case "add":
                await who.customers.add(buyer=entry.contact.id)
            case "star":
                await who.contacts.star(conversation=chat, starred=self.dice.random() < 0.7)


def difference(kept: State, fresh: State) -> str:
    """How they differ; windows may reach back less far, since a chat may have come into view by an event."""
    for name in ("account", "starred", "offers"):
        if getattr(kept, name) != getattr(fresh, name):
            return f"{name}: {getattr(kept, name)} != {getattr(fresh, name)}"
    if kept.entries.keys() != fresh.entries.keys():
        return f"entries of {kept.entries.keys() ^ fresh.entries.keys()}"
    for chat, entry in kept.entries.items():
        if entry != fresh.entries[chat]:
            return f"{entry}\n!= {fresh.entries[chat]}"
    for chat, window in kept.windows.items():
        if window and fresh.windows.get(chat, ())[-len(window) :] != window:
            return f"window {window}\n!= {fresh.windows.get(chat)}"
    return ""


@pytest.mark.parametrize("seed", range(3))
async def test_w5_every_kept_state_is_what_a_fresh_snapshot_shows(running: Running, seed: int) -> None:
    async with AsyncExitStack() as stack:
        clients: dict[str, fairwire.Client] = {}
        proxies: dict[str, FaultProxy] = {}
        for name in CAST:
            proxies[name] = await stack.enter_async_context(fault_proxy(("127.0.0.1", running.port)))
            url, token = f"http://127.0.0.1:{proxies[name].port}", running.ground[name].token
            codec: Any = "json" if name == "sales" else "msgpack"
            clients[name] = await stack.enter_async_context(
                fairwire.connect(url, token=token, codec=codec, device=name)
            )
        play = Play(clients, proxies, running.ground.exhibitors["acme"], Random(seed))
        for name in ("buyer", "buyer2"):
            opened = await clients[name].chat.open(exhibitor=play.exhibitor)
            await clients[name].chat.send(conversation=opened.entry.conversation, text="the first word")
        for _ in range(STEPS):
            await play.step()
        assert play.done.keys() >= {"send", "transfer", "read", "cut"}, "the dice have left out the play"
        for kept in clients.values():
            await read_everything(kept)
        for name, kept in clients.items():
            await agree(running, name, kept)


async def read_everything(who: fairwire.Client) -> None:
    """So that every receipt has its final value before states are compared, instead of being equal for not having moved yet."""
    for chat, entry in who.state.entries.items():
        with suppress(fairwire.Refused):
            await who.chat.read(conversation=chat, seq=entry.last_seq)


async def agree(running: Running, name: str, kept: fairwire.Client) -> None:
    """The last events may still be on their way when the play is over, so the comparison is repeated until they have come."""
    found = "never compared"
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while found:
                token = running.ground[name].token
                async with fairwire.connect(running.url, token=token, device=f"{name}-fresh") as fresh:
                    shown = replace(fresh.state, limit=kept.state.limit)
                found = difference(kept.state, shown)
    assert not found, f"{name}: {found}"
