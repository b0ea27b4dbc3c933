"""W7: one command id is one effect and one reply, however often, through whichever door and at the same time it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from fairwire_protocol.operations import CATALOGUE
from tests.harness.node import Running, running_node
from tests.harness.peer import Peer, peer

TIMES: Final = 100
SOCKETS: Final = 5

Told = tuple[str, dict[str, Any], bool]


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    """A node where whoever waits for a row has time: the last of a hundred waits for all others, however slow the machine is."""
    async with running_node(database_url, tmp_path, lock_timeout_ms=60_000, command_timeout_s=60.0) as running:
        yield running


async def hundredfold(
    running: Running, who: str, op: str, route: tuple[str, str], args: dict[str, Any], times: int = TIMES
) -> list[Told]:
    """The same command a hundred times in parallel, over sockets of several devices and over HTTP: what each was told."""
    cid, token = str(uuid4()), running.ground[who].token
    method, path = route
    body = {name: value for name, value in args.items() if f"{{{name}}}" not in path}
    url = running.url + path.format(**args)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": cid}

    async def over_http(session: aiohttp.ClientSession) -> Told:
        async with session.request(method, url, json=body, headers=headers) as response:
            answer = await response.json()
            return (
                "ok" if response.ok else answer["error"]["code"],
                answer,
                "Idempotency-Replayed" in response.headers,
            )

    async def over_socket(one: Peer) -> list[Told]:
        repeats = range(times // 2 // SOCKETS)
        for _ in repeats:
            await one.send({"t": "call", "cid": cid, "op": op, "args": args})
        frames = [await one.wait(cid=cid) for _ in repeats]
        return [
            (frame.get("code", "ok"), frame.get("result", frame), frame.get("duplicate", False)) for frame in frames
        ]

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        sockets = [await stack.enter_async_context(peer(running.url, token)) for _ in range(SOCKETS)]
        http = asyncio.gather(*(over_http(session) for _ in range(times // 2)))
        told = await asyncio.gather(*map(over_socket, sockets))
        return [*await http, *chain.from_iterable(told)]


def one_of(op: str, told: list[Told], times: int = TIMES) -> Any:
    """The reply that all of them got; one was the first, all others were told that they are repetitions."""
    assert len(told) == times
    assert {code for code, _, _ in told} == {"ok"}
    replies = [msgspec.convert(reply, CATALOGUE[op].reply) for _, reply, _ in told]  # a default may be sent or not (W1)
    assert [reply for reply in replies if reply != replies[0]] == []
    assert sum(not again for _, _, again in told) == 1
    return replies[0]


async def opened(running: Running) -> str:
    """A chat of the buyer with acme, whose main account holds it."""
    ground = running.ground
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token):
        reply = await buyer.ok("chat.open", exhibitor=str(ground.exhibitors["acme"]))
        conversation: str = reply["entry"]["conversation"]
        await buyer.ok("chat.send", conversation=conversation, text="first")
        return conversation


async def said(running: Running, conversation: str) -> list[str]:
    """What stands in the conversation, by kind."""
    async with peer(running.url, running.ground["buyer"].token) as buyer:
        page = await buyer.ok("chat.history", conversation=conversation)
    return [message["kind"] for message in page["messages"]]


async def test_a_message_sent_a_hundred_times_is_one_w7(running: Running) -> None:
    conversation = await opened(running)
    route = ("POST", "/v1/conversations/{conversation}/messages")
    args = {"conversation": conversation, "text": "once"}
    sent = one_of("chat.send", await hundredfold(running, "buyer", "chat.send", route, args))
    assert sent.seq == 2
    assert await said(running, conversation) == ["text", "text"]


async def test_a_chat_opened_a_hundred_times_has_one_card_w7_c1_c2(running: Running) -> None:
    ground = running.ground
    args = {"exhibitor": str(ground.exhibitors["acme"]), "exhibit": str(ground.exhibits["acme"])}
    reply = one_of("chat.open", await hundredfold(running, "buyer", "chat.open", ("POST", "/v1/conversations"), args))
    assert await said(running, str(reply.entry.conversation)) == ["card"]


async def test_a_transfer_asked_a_hundred_times_moves_once_w7_c10(running: Running) -> None:
    conversation, ground = await opened(running), running.ground
    route = ("POST", "/v1/conversations/{conversation}/transfers")
    args = {"conversation": conversation, "to": str(ground["sales"].id)}
    reply = one_of("chat.transfer", await hundredfold(running, "main", "chat.transfer", route, args))
    assert reply.seq == 2
    async with peer(running.url, ground["main"].token) as main:
        log = await main.ok("chat.transfers", conversation=conversation)
    assert [(one["seq"], one["transfer"]["to"]["id"]) for one in log["transfers"]] == [(2, str(ground["sales"].id))]


async def test_a_sub_account_made_twenty_times_is_one_w7_a9(running: Running) -> None:
    args = {"kind": "business", "login": "newcomer", "name": "新人", "password": "long enough, this one"}
    # each of them hashes the password first, so fewer
    reply = one_of(
        "team.create", await hundredfold(running, "rival", "team.create", ("POST", "/v1/team"), args, 20), 20
    )
    async with peer(running.url, running.ground["rival"].token) as main:
        team = await main.ok("team.list")
    assert [one["id"] for one in team["accounts"] if one.get("login") == "newcomer"] == [str(reply.account.id)]


@pytest.mark.parametrize("ask_first", [False, True])
async def test_another_command_under_a_used_cid_is_a_final_error_w7(running: Running, ask_first: bool) -> None:
    conversation, ground, cid = await opened(running), running.ground, str(uuid4())
    async with peer(running.url, ground["main"].token) as main:
        to = str(ground["sales"].id)
        done = await main.call("chat.transfer", cid=cid, conversation=conversation, to=to, ask_first=ask_first)
        assert done["t"] == "reply"
        other = await main.call("chat.transfer", cid=cid, conversation=conversation, to=to, note="but")
        assert (other["code"], other.get("retry_after_ms")) == ("cid_reused", None)
        third = await main.call("chat.take_over", cid=cid, conversation=conversation)
        assert third["code"] == "cid_reused"
        again = await main.call("chat.transfer", cid=cid, conversation=conversation, to=to, ask_first=ask_first)
        assert (again["result"], again["duplicate"]) == (done["result"], True)


async def test_a_refused_command_leaves_no_trace_and_is_decided_anew_w7(running: Running) -> None:
    conversation, ground, cid = await opened(running), running.ground, str(uuid4())
    async with peer(running.url, ground["buyer"].token) as buyer, peer(running.url, ground["main"].token) as main:
        await main.ok("chat.block", conversation=conversation, blocked=True)
        refused = await buyer.call("chat.send", cid=cid, conversation=conversation, text="hello?")
        assert refused["code"] == "blocked"
        await main.ok("chat.block", conversation=conversation, blocked=False)
        sent = await buyer.call("chat.send", cid=cid, conversation=conversation, text="hello?")
        assert (sent["t"], sent.get("duplicate", False)) == ("reply", False)
