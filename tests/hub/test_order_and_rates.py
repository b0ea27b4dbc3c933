"""Calls of a socket: eight in flight, one writer per conversation, order kept, rates typed, abuse closed (W8, W12)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiohttp import ClientSession
from websockets.exceptions import ConnectionClosed

from tests.harness.clock import ManualClock
from tests.harness.node import running_node
from tests.harness.peer import Peer, peer
from tests.hub.wire import CODECS, chat, fence, passes


def call(op: str, **args: Any) -> dict[str, Any]:
    return {"t": "call", "cid": str(uuid4()), "op": op, "args": args}


def answered(one: Peer) -> list[str]:
    """Cids in the order of their answers."""
    return [frame["cid"] for frame in one.heard if frame["t"] in {"reply", "error"} and "cid" in frame]


@pytest.mark.parametrize("codec", CODECS)
async def test_pipelined_sends_keep_their_order_w8(database_url: str, tmp_path: Path, codec: str) -> None:
    async with (
        running_node(database_url, tmp_path) as running,
        peer(running.url, running.ground["buyer"].token, codec=codec) as buyer,
    ):
        conversation = await chat(running, buyer)
        calls = [call("chat.send", conversation=conversation, text=f"{number}") for number in range(150)]
        for one in calls:
            await buyer.send(one)
        replies = [await buyer.wait(t="reply", cid=one["cid"]) for one in calls]
        assert [reply["result"]["seq"] for reply in replies] == list(range(2, 152))
        page = await buyer.ok("chat.history", conversation=conversation, after=1, limit=100)
        assert [message["text"] for message in page["messages"]] == [f"{number}" for number in range(100)]


async def test_beyond_what_may_be_in_flight_reading_pauses_and_nothing_fails_w8(
    database_url: str, tmp_path: Path
) -> None:
    """The database holds the writers of every conversation; what comes after them waits unread, and is done afterwards."""
    async with (
        running_node(database_url, tmp_path, in_flight_max=3) as running,
        peer(running.url, running.ground["buyer"].token) as buyer,
    ):
        ground = running.ground
        chats = [await chat(running, buyer, name) for name in ("acme", "rival")]
        held = await asyncpg.connect(database_url)
        try:
            async with held.transaction():
                await held.execute("SELECT 1 FROM conversation WHERE id = ANY ($1::uuid[]) FOR UPDATE", chats)
                writers = [call("chat.block", conversation=one, blocked=False) for one in (chats[0], chats[1])]
                behind = [call("chat.block", conversation=chats[0], blocked=False), call("account.show")]
                for one in writers + behind:
                    await buyer.send(one)
                async with peer(running.url, ground["main"].token) as main:
                    await fence(main, main)
                assert not set(answered(buyer)) & {one["cid"] for one in writers + behind}
        finally:
            await held.close()
        for one in writers + behind:
            await buyer.wait(t="reply", cid=one["cid"])
        many = [call("account.show") for _ in range(100)]
        for one in many:
            await buyer.send(one)
        for one in many:
            await buyer.wait(t="reply", cid=one["cid"])


async def test_too_often_is_typed_and_tells_when_to_come_back_w12(database_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with running_node(database_url, tmp_path, clock, rate_factor=0.05) as running:
        ground = running.ground
        async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
            answers = [await buyer.call("account.show") for _ in range(11)]
            assert [frame["t"] for frame in answers] == ["reply"] * 10 + ["error"]
            refused = answers[-1]
            assert refused["code"] == "rate_limited"
            assert 0 < refused["retry_after_ms"] <= 400  # 2.5 a second
            await fence(main)
            await passes(clock, refused["retry_after_ms"] / 1000, step=refused["retry_after_ms"] / 1000)
            await buyer.ok("account.show")
            headers = {"Authorization": f"Bearer {ground['buyer'].token}"}
            async with ClientSession(headers=headers) as session, session.get(f"{running.url}/v1/me") as response:
                assert response.status == 429, "both doors fill one bucket"
                error = (await response.json())["error"]
                assert error["code"] == "rate_limited"
                assert int(response.headers["Retry-After"]) >= 1
                assert error["retry_after_ms"] > 0


async def test_a_refused_command_was_not_done_and_its_cid_is_free_w7_w12(database_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with (
        running_node(database_url, tmp_path, clock, rate_factor=0.005) as running,
        peer(running.url, running.ground["buyer"].token) as buyer,
    ):
        conversation = await chat(running, buyer)
        cid = str(uuid4())
        refused = await buyer.call("chat.send", cid=cid, conversation=conversation, text="later")
        assert refused["code"] == "rate_limited"
        await passes(clock, 5.0, step=5.0)
        done = await buyer.call("chat.send", cid=cid, conversation=conversation, text="later")
        assert done["t"] == "reply"
        assert "duplicate" not in done


async def test_who_never_heeds_the_limit_is_closed_4004_w12(database_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with (
        running_node(database_url, tmp_path, clock, rate_factor=0.05) as running,
        peer(running.url, running.ground["buyer"].token) as buyer,
    ):
        with suppress(ConnectionClosed):
            for _ in range(400):
                await buyer.send(call("account.show"))
        assert await buyer.closed() == 4004
        bye = await buyer.wait(t="bye")
        assert bye["code"] == 4004
        assert bye["retry_after_ms"] > 0
