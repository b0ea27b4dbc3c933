"""Permission that changes while somebody is connected: completeness, silence, type of account (A3, A6, A7, C18)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness.node import Running, running_node
from tests.harness.peer import Peer, peer


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    async with running_node(database_url, tmp_path) as running:
        yield running


async def fence(*peers: Peer) -> None:
    """What was pushed before has arrived."""
    for one in peers:
        await one.ok("account.show")


async def test_a_visitor_that_completes_its_profile_opens_a_chat_on_the_same_socket_a3(running: Running) -> None:
    async with peer(running.url, running.ground["visitor"].token) as visitor:
        acme = str(running.ground.exhibitors["acme"])
        assert await visitor.refused("chat.open", exhibitor=acme) == "profile_incomplete"
        await visitor.ok("buyer.update_profile", profile={"full_name": "Ana"}, country="BR")
        await visitor.ok("chat.open", exhibitor=acme)


async def test_a_buyer_that_emptied_its_profile_elsewhere_opens_no_chat_a3_a6(running: Running) -> None:
    token = running.ground["buyer"].token
    async with peer(running.url, token) as phone, peer(running.url, token) as laptop:
        await phone.ok("buyer.update_profile", profile={"full_name": ""})
        acme = str(running.ground.exhibitors["acme"])
        assert await laptop.refused("chat.open", exhibitor=acme) == "profile_incomplete"


async def test_a_silenced_buyer_opens_no_chat_and_sends_nothing_until_it_is_over_c18(running: Running) -> None:
    ground = running.ground
    acme, rival = (str(ground.exhibitors[name]) for name in ("acme", "rival"))
    async with (
        peer(running.url, ground["buyer"].token) as buyer,
        peer(running.url, ground["organiser"].token) as organiser,
    ):
        opened = await buyer.ok("chat.open", exhibitor=acme)
        conversation = opened["entry"]["conversation"]
        await organiser.ok("organiser.silence", account=str(ground["buyer"].id), until=4_000_000_000_000)
        assert await buyer.refused("chat.open", exhibitor=rival) == "silenced"
        assert await buyer.refused("chat.send", conversation=conversation, text="x") == "silenced"
        await buyer.ok("chat.history", conversation=conversation)
        await organiser.ok("organiser.silence", account=str(ground["buyer"].id))
        await buyer.ok("chat.open", exhibitor=rival)


async def test_an_account_that_becomes_an_exhibit_account_reads_no_chats_any_more_a7(running: Running) -> None:
    """It held a chat once: nothing of it in its lists, its first state, or what comes later."""
    ground = running.ground
    sales = ground["sales"]
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        opened = await buyer.ok("chat.open", exhibitor=str(ground.exhibitors["acme"]))
        conversation = opened["entry"]["conversation"]
        await buyer.ok("chat.send", conversation=conversation, text="motorcycle")
        if (await main.ok("chat.show", conversation=conversation))["entry"]["holder"]["id"] != str(sales.id):
            await main.ok("chat.transfer", conversation=conversation, to=str(sales.id))
        await main.ok("customers.add", buyer=str(ground["buyer"].id))
        async with peer(running.url, sales.token) as before:
            await before.ok("contacts.star", conversation=conversation, starred=True)
            await before.ok("contacts.pin", conversation=conversation, pinned=True)
            await main.ok("team.update", account=str(sales.id), kind="exhibit", handover_to=str(ground["main"].id))
            assert await before.closed() == 4003
        async with peer(running.url, sales.token) as after:
            assert conversation not in str(after.heard)
            assert "Secret Company" not in str(after.heard)
            for op in ("contacts.recent", "contacts.starred", "chat.list"):
                assert await after.refused(op) == "forbidden"
            await buyer.ok("chat.recall", conversation=conversation, seq=1)
            await buyer.ok("account.update", name="Renamed")
            await buyer.ok("buyer.update_profile", profile={"company": "Secret Company II"})
            await fence(after)
            assert conversation not in str(after.heard)
            assert "Renamed" not in str(after.heard)
            assert "Secret Company" not in str(after.heard)
