"""Nothing is said to anybody before COMMIT has returned: neither to the sender nor to those it writes to (W4, W7).

A deferred trigger makes chosen transactions fail at COMMIT itself, when all their statements have succeeded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import pytest

from fairwire_server.database.queries import parse_queries
from tests.harness.node import Running
from tests.harness.peer import Peer, peer


async def poison(running: Running, *names: str) -> None:
    """Plant triggers by their names in commit.sql."""
    sql = parse_queries(files("tests.faults").joinpath("commit.sql").read_text("utf-8"), "commit.sql")
    async with running.node.works.begin() as work:
        for name in names:
            await work.connection.execute(sql[name])


@asynccontextmanager
async def talking(running: Running) -> AsyncIterator[tuple[Peer, Peer, str]]:
    """The buyer, the holder, and their chat, both up to date."""
    ground = running.ground
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        reply = await buyer.ok("chat.open", exhibitor=str(ground.exhibitors["acme"]))
        conversation = reply["entry"]["conversation"]
        await buyer.ok("chat.send", conversation=conversation, text="first")
        await main.event("message")
        await buyer.event("message")
        yield buyer, main, conversation


def told(*peers: Peer) -> list[dict[str, Any]]:
    """Every event that has reached them and was not looked at yet, markers aside."""
    frames = [frame for one in peers for frame in one.frames if frame["t"] == "event"]
    return [frame["body"] for frame in frames if frame["body"]["type"] != "marker"]


@pytest.mark.parametrize("beside", [0, 3])
async def test_a_message_whose_commit_fails_is_neither_acknowledged_nor_shown_w4_w7(
    running: Running, beside: int
) -> None:
    """`beside`: messages of others that are decided in the same batch, and must not suffer from it."""
    await poison(running, "poison_messages", "poison_messages_at_commit")
    async with talking(running) as (buyer, main, conversation):
        for number in range(beside):
            args = {"conversation": conversation, "text": f"beside {number}"}
            await main.send(
                {"t": "call", "cid": f"00000000-0000-4000-8000-00000000000{number}", "op": "chat.send", "args": args}
            )
        answer = await buyer.call("chat.send", conversation=conversation, text="poison")
        assert answer["t"] == "error", "acknowledged, and not stored"
        assert answer["retry_after_ms"] > 0
        for _ in range(beside):
            assert (await main.wait(t="reply"))["result"]["seq"] > 1
        sent = await buyer.ok("chat.send", conversation=conversation, text="sound")
        assert sent["seq"] == beside + 2, "a number was taken by what was never stored"
        while (await main.event("message"))["message"].get("text") != "sound":
            pass
        texts = [body["message"].get("text") for body in told(main, buyer) if body["type"] == "message"]
        assert "poison" not in texts
        page = await main.ok("chat.history", conversation=conversation)
        assert "poison" not in [message.get("text") for message in page["messages"]]


async def test_a_transfer_whose_commit_fails_is_told_to_nobody_w4_w7(running: Running) -> None:
    await poison(running, "poison_messages", "poison_transfers_at_commit")
    ground = running.ground
    async with talking(running) as (buyer, main, conversation), peer(running.url, ground["sales"].token) as sales:
        to = str(ground["sales"].id)
        answer = await main.call("chat.transfer", conversation=conversation, to=to, note="poison")
        assert answer["t"] == "error"
        assert answer["retry_after_ms"] > 0
        await main.ok("chat.send", conversation=conversation, text="still mine")
        assert (await buyer.event("message"))["message"]["text"] == "still mine"
        assert told(sales) == []


async def test_a_pin_whose_commit_fails_is_not_shown_on_the_other_device_w4(running: Running) -> None:
    await poison(running, "poison_messages", "poison_marks_at_commit")
    async with talking(running) as (_, main, conversation), peer(running.url, running.ground["main"].token) as other:
        answer = await main.call("contacts.pin", conversation=conversation, pinned=True)
        assert answer["t"] == "error"
        await main.ok("chat.send", conversation=conversation, text="go on")
        assert (await other.event("message"))["message"]["text"] == "go on"
        assert {body["type"] for body in told(other, main)} <= {"message"}
