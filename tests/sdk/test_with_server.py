"""The SDK against our server: what two people and their devices see of each other (W5, W6, W7, C1, C2, C7–C9, C12, C14, C15, K2–K4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal
from uuid import UUID

import pytest

import fairwire
from fairwire_protocol import events as e
from fairwire_protocol.models import BuyerCard, ExhibitorCard, Person, Subject
from tests.harness.node import Running
from tests.harness.proxy import fault_proxy

CODECS = pytest.mark.parametrize("codec", ["msgpack", "json"])


@asynccontextmanager
async def client(
    running: Running,
    name: str,
    codec: Literal["msgpack", "json"] = "msgpack",
    device: str | None = None,
    url: str | None = None,
) -> AsyncIterator[fairwire.Client]:
    """Somebody of the cast, connected."""
    device = device or f"{name}-{codec}"
    async with fairwire.connect(url or running.url, token=running.ground[name].token, codec=codec, device=device) as it:
        yield it


async def until(who: fairwire.Client, reached: Callable[[fairwire.State], bool]) -> None:
    """Until the client's state says so."""
    feed = who.events()
    async with asyncio.timeout(10):
        while not reached(who.state):
            await anext(feed)
    who.forget(feed)


async def opened(running: Running, buyer: fairwire.Client) -> UUID:
    reply = await buyer.chat.open(exhibitor=running.ground.exhibitors["acme"])
    return reply.entry.conversation


@CODECS
async def test_c1_two_people_talk(running: Running, codec: Literal["msgpack", "json"]) -> None:
    async with client(running, "buyer", codec) as buyer, client(running, "main", codec) as main:
        chat = await opened(running, buyer)
        sent = await buyer.chat.send(conversation=chat, text="你好，请问展位在哪里？")
        await until(main, lambda state: chat in state.entries)
        entry = main.state.entries[chat]
        assert entry.holds
        assert entry.open
        assert isinstance(entry.contact, BuyerCard)
        assert entry.last is not None
        assert entry.last.text == "你好，请问展位在哪里？"
        assert entry.last_seq == sent.seq
        answer = await main.chat.send(conversation=chat, text="Hall 3.2, stand B12")
        await until(buyer, lambda state: state.entries[chat].last_seq == answer.seq)
        assert isinstance(buyer.state.entries[chat].contact, ExhibitorCard)
        await buyer.chat.read(conversation=chat, seq=answer.seq)
        await until(main, lambda state: any(marker.read == answer.seq for marker in state.entries[chat].markers))
        assert [message.seq for message in main.state.windows[chat]] == list(range(1, answer.seq + 1))


async def test_w7_the_same_cid_is_one_message(running: Running) -> None:
    async with client(running, "buyer") as buyer:
        chat = await opened(running, buyer)
        cid = UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0001)
        first = await buyer.chat.send(conversation=chat, text="once", cid=cid)
        assert await buyer.chat.send(conversation=chat, text="once", cid=cid) == first
        with pytest.raises(fairwire.Refused, match="cid_reused"):
            await buyer.chat.send(conversation=chat, text="other", cid=cid)


async def test_c9_after_a_transfer_the_former_holder_is_told_nothing(running: Running) -> None:
    async with client(running, "buyer") as buyer, client(running, "main") as main, client(running, "sales") as sales, \
            client(running, "sales2") as sales2:  # fmt: skip
        chat = await opened(running, buyer)
        await buyer.chat.send(conversation=chat, text="hello")
        if (await main.chat.show(conversation=chat)).entry.holder != Person(id=sales.me.id, name=sales.me.name):
            await main.chat.transfer(conversation=chat, to=sales.me.id)
        await until(sales, lambda state: chat in state.entries)
        moved = await sales.chat.transfer(conversation=chat, to=sales2.me.id, note="secret of the team")
        await until(sales2, lambda state: chat in state.entries)
        await until(sales, lambda state: not state.entries[chat].holds)
        await buyer.chat.send(conversation=chat, text="after the transfer")
        await until(sales2, lambda state: state.entries[chat].last_seq == (moved.seq or 0) + 1)
        frozen = sales.state.entries[chat]
        assert (frozen.readable_to, frozen.last_seq, frozen.holder) == (moved.seq, moved.seq, None)
        with pytest.raises(fairwire.Refused):
            await sales.chat.send(conversation=chat, text="too late")
        page = await sales.chat.history(conversation=chat)
        assert page.messages[-1].seq == moved.seq
        seen = buyer.state.entries[chat]
        assert seen.holder is not None
        assert seen.holder.id == sales2.me.id
        transfers = [message for message in (await buyer.chat.history(conversation=chat)).messages if message.transfer]
        assert all(message.transfer and message.transfer.note is None for message in transfers)


async def test_k2_k3_k4_star_pin_and_the_base(running: Running) -> None:
    async with client(running, "buyer") as buyer, client(running, "main") as main:
        chat = await opened(running, buyer)
        await buyer.chat.send(conversation=chat, text="hello")
        await until(main, lambda state: chat in state.entries)
        with pytest.raises(fairwire.Refused, match="not_in_base"):
            await main.contacts.star(conversation=chat, starred=True)
        await main.customers.add(buyer=buyer.me.id)
        await main.contacts.star(conversation=chat, starred=True)
        await main.contacts.pin(conversation=chat, pinned=True)
        await until(main, lambda state: chat in state.starred and state.entries[chat].pinned_at is not None)
        contact = main.state.entries[chat].contact
        assert isinstance(contact, BuyerCard)
        assert contact.in_base


async def test_c12_a_recalled_message_loses_its_text_everywhere(running: Running) -> None:
    async with client(running, "buyer") as buyer, client(running, "main") as main:
        chat = await opened(running, buyer)
        sent = await buyer.chat.send(conversation=chat, text="oops")
        await until(main, lambda state: chat in state.entries)
        await buyer.chat.recall(conversation=chat, seq=sent.seq)
        await until(main, lambda state: bool((last := state.entries[chat].last) and last.recalled))
        assert main.state.windows[chat][-1].text is None


async def test_w6_what_happens_during_a_cut_is_there_after_it(running: Running) -> None:
    async with fault_proxy(("127.0.0.1", running.port)) as proxy, client(running, "buyer") as buyer, \
            client(running, "main", url=f"http://127.0.0.1:{proxy.port}") as main:  # fmt: skip
        chat = await opened(running, buyer)
        feed = main.events()
        last = await buyer.chat.send(conversation=chat, text="one")
        for cut in range(3):
            proxy.refuse()
            proxy.reset()
            for number in range(5):
                last = await buyer.chat.send(conversation=chat, text=f"text {cut} {number}")
            proxy.refuse(False)
            await until(main, lambda state: state.entries[chat].last_seq == last.seq)  # noqa: B023 - waited for at once
        seen = []
        while len(feed):
            happening = await anext(feed)
            if isinstance(happening, fairwire.Delivered) and isinstance(happening.body, e.MessagePosted):
                seen.append(happening.body.message.seq)
            assert not isinstance(happening, fairwire.Resynced)
        assert seen == list(range(1, last.seq + 1))


async def test_w13_a_new_socket_of_the_same_device_takes_the_old_ones_place(running: Running) -> None:
    async with client(running, "buyer") as old:
        feed = old.events()
        async with client(running, "buyer"):
            with pytest.raises(fairwire.Stopped) as stopped:
                await asyncio.wait_for(_to_the_end(feed), 10)
        assert stopped.value.code == 4502


async def _to_the_end(feed: fairwire.Feed) -> None:
    async for _ in feed:
        pass


async def test_c14_c15_history_and_search(running: Running) -> None:
    async with client(running, "buyer") as buyer, client(running, "main") as main:
        chat = await opened(running, buyer)
        await buyer.chat.send(conversation=chat, text="first")
        await buyer.chat.send(conversation=chat, text="展位在哪里")
        last = await buyer.chat.send(conversation=chat, text="third")
        page = await main.chat.history(conversation=chat, before=last.seq, limit=1)
        assert [message.text for message in page.messages] == ["展位在哪里"]
        assert page.more_before
        async with asyncio.timeout(10):
            while not (reply := await main.chat.search(query="展")).hits:
                pass
        assert reply.hits[0].message.text == "展位在哪里"
        assert reply.hits[0].marks == ((0, 1),)


async def test_c17_presence_of_an_exhibitor(running: Running) -> None:
    async with client(running, "buyer") as buyer:
        exhibitor = running.ground.exhibitors["acme"]
        await opened(running, buyer)
        reply = await buyer.presence.watch(subjects=(Subject(kind="exhibitor", id=exhibitor),))
        assert [state.state for state in reply.states] == ["offline"]
        feed = buyer.events()
        async with client(running, "main"), asyncio.timeout(10):
            while buyer.presence_of.get(("exhibitor", exhibitor)) != "online":
                await anext(feed)


async def test_a_token_that_is_none_is_turned_away(running: Running) -> None:
    with pytest.raises(fairwire.Stopped) as stopped:
        async with fairwire.connect(running.url, token="none"):
            pass
    assert stopped.value.code == 4500
