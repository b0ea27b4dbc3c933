"""Chatting end to end over real sockets, by a client that knows only the wire (C1–C12, W1–W9)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.harness.node import Running
from tests.harness.peer import Peer, peer


async def opened(buyer: Peer, running: Running, exhibitor: str = "acme") -> str:
    """The buyer's conversation with an exhibitor."""
    reply = await buyer.ok("chat.open", exhibitor=str(running.ground.exhibitors[exhibitor]))
    conversation: str = reply["entry"]["conversation"]
    return conversation


@pytest.mark.parametrize("codec", ["msgpack", "json"])
async def test_a_message_reaches_both_sides_with_the_same_seq_w2_w7(running: Running, codec: str) -> None:
    ground = running.ground
    async with (
        peer(running.url, ground["buyer"].token, codec=codec) as buyer,
        peer(running.url, ground["main"].token, codec=codec) as main,
    ):
        conversation = await opened(buyer, running)
        sent = await buyer.ok("chat.send", conversation=conversation, text="你好, how much?")
        assert sent["seq"] == 1
        to_main = await main.event("message")
        to_buyer = await buyer.event("message")
        assert to_main["message"] == to_buyer["message"]
        assert to_main["message"]["text"] == "你好, how much?"
        # both get the contact with its first message (W5), each as it may see it (K2)
        assert to_buyer["entries"][0]["contact"]["type"] == "exhibitor"
        contact = to_main["entries"][0]["contact"]
        assert contact["type"] == "buyer"
        assert "details" not in contact
        assert to_main["entries"][0]["holds"] is True


async def test_the_same_cid_has_one_effect_and_one_answer_w7(running: Running) -> None:
    async with peer(running.url, running.ground["buyer"].token) as buyer:
        conversation = await opened(buyer, running)
        cid = str(uuid4())
        first = await buyer.call("chat.send", cid=cid, conversation=conversation, text="once")
        again = await buyer.call("chat.send", cid=cid, conversation=conversation, text="once")
        assert first["result"] == again["result"]
        assert again["duplicate"] is True
        other = await buyer.call("chat.send", cid=cid, conversation=conversation, text="twice")
        assert other["code"] == "cid_reused"
        page = await buyer.ok("chat.history", conversation=conversation)
        assert [message["text"] for message in page["messages"]] == ["once"]


async def test_one_cid_is_one_command_whichever_operation_w7(running: Running) -> None:
    ground = running.ground
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        cid = str(uuid4())
        opening = await buyer.call("chat.open", cid=cid, exhibitor=str(ground.exhibitors["acme"]))
        conversation = opening["result"]["entry"]["conversation"]
        sent = await buyer.call("chat.send", cid=cid, conversation=conversation, text="hello")
        assert sent["code"] == "cid_reused"
        await buyer.ok("chat.send", conversation=conversation, text="hello")
        said = str(uuid4())
        await main.call("chat.send", cid=said, conversation=conversation, text="welcome")
        moved = await main.call("chat.transfer", cid=said, conversation=conversation, to=str(ground["sales"].id))
        assert moved["code"] == "cid_reused"


async def test_a_transfer_moves_the_chat_and_ends_the_givers_view_c7_c9(running: Running) -> None:
    ground = running.ground
    async with (
        peer(running.url, ground["buyer"].token) as buyer,
        peer(running.url, ground["main"].token) as main,
        peer(running.url, ground["sales"].token) as sales,
        peer(running.url, ground["sales2"].token) as sales2,
    ):
        conversation = await opened(buyer, running)
        await buyer.ok("chat.send", conversation=conversation, text="one")
        await main.event("message")
        done = await main.ok("chat.transfer", conversation=conversation, to=str(ground["sales"].id), note="be kind")
        assert done["seq"] == 2
        to_sales = await sales.event("message")
        assert to_sales["message"]["transfer"]["note"] == "be kind"
        assert to_sales["entries"][0]["holds"] is True
        to_buyer = await buyer.event("message")  # the first was its own message
        to_buyer = await buyer.event("message")
        assert to_buyer["message"]["transfer"] == {"to": {"id": str(ground["sales"].id), "name": "Sales 先生"}}
        await sales.ok("chat.transfer", conversation=conversation, to=str(ground["sales2"].id))
        await sales2.event("message")
        await sales2.ok("chat.send", conversation=conversation, text="secret of sales2")
        history = await sales.ok("chat.history", conversation=conversation)
        assert [message["seq"] for message in history["messages"]] == [1, 2, 3]
        recent = await sales.ok("contacts.recent")
        assert recent["entries"][0]["readable_to"] == 3
        assert await sales.refused("chat.send", conversation=conversation, text="x") == "not_found"
        assert "secret of sales2" not in str(sales.frames)


async def test_recall_leaves_the_place_and_not_the_text_c12(running: Running) -> None:
    ground = running.ground
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        conversation = await opened(buyer, running)
        before = {"epoch": main.account[0], "pos": main.account[1]}
        await buyer.ok("chat.send", conversation=conversation, text="too much said")
        await buyer.ok("chat.recall", conversation=conversation, seq=1)
        event = await main.event("recall")
        assert event["seq"] == 1
        history = await main.ok("chat.history", conversation=conversation)
        assert history["messages"][0]["recalled"] is True
        assert "text" not in history["messages"][0]
        resume = {"account": before, "fair": {"epoch": main.fair[0], "pos": main.fair[1]}}
        async with peer(running.url, ground["main"].token, resume=resume) as again:
            assert (await again.wait(t="resumed"))["resumed"] is True
            replayed = await again.event("message")
            assert "too much said" not in str(replayed)
            assert replayed["message"]["recalled"] is True


async def test_receipts_travel_to_the_other_side_w9(running: Running) -> None:
    ground = running.ground
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        conversation = await opened(buyer, running)
        await buyer.ok("chat.send", conversation=conversation, text="hello")
        await main.event("message")
        await main.send({"t": "ack", "pos": main.account[1], "fair_pos": main.fair[1]})
        received = await buyer.event("marker")
        assert received["marker"] == {"account": None, "side": "team", "received": 1, "read": 0}
        await main.ok("chat.read", conversation=conversation, seq=1)
        read = await buyer.event("marker")
        assert read["marker"] == {"account": None, "side": "team", "received": 1, "read": 1}


async def test_an_exhibitor_never_writes_first_c19(running: Running) -> None:
    ground = running.ground
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        conversation = await opened(buyer, running)
        assert await main.refused("chat.send", conversation=conversation, text="buy!") == "chat_not_open"
        assert await main.refused("chat.open", exhibitor=str(ground.exhibitors["acme"])) == "forbidden"


async def test_the_usual_time_to_answer_is_shown_by_the_exhibitors_page_c5(running: Running) -> None:
    ground = running.ground
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        conversation = await opened(buyer, running)
        acme = str(ground.exhibitors["acme"])
        assert "answer_seconds" not in (await buyer.ok("exhibitors.show", exhibitor=acme))["exhibitor"]
        await buyer.ok("chat.send", conversation=conversation, text="anybody there?")
        await main.ok("chat.send", conversation=conversation, text="of course")
        await running.node.services.sender.write_answer_times()
        shown = await buyer.ok("exhibitors.show", exhibitor=acme)
        assert 0 <= shown["exhibitor"]["answer_seconds"] < 60
