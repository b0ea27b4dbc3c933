"""Sockets that must end: suspension, revocation, a new password, a stopping node; in the order of events (A6, A9, W13, W14)."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

from uuid_utils.compat import uuid7

from tests.harness.node import Running, running_node
from tests.harness.peer import Peer, peer
from tests.hub.wire import chat, fence, hello, raw


def after_bye(one: Peer) -> list[str]:
    """Kinds of frames that came after `bye`."""
    kinds = [frame["t"] for frame in one.heard]
    return kinds[kinds.index("bye") + 1 :]


async def test_suspension_closes_every_socket_before_anything_later_reaches_it_a6(running: Running) -> None:
    ground = running.ground
    async with (
        peer(running.url, ground["organiser"].token) as organiser,
        peer(running.url, ground["sales"].token) as phone,
        peer(running.url, ground["sales"].token, codec="json") as laptop,
        peer(running.url, ground["buyer"].token) as buyer,
        peer(running.url, ground["main"].token) as main,
    ):
        conversation = await chat(running, buyer)
        holder = (await main.ok("chat.show", conversation=conversation))["entry"]["holder"]["id"]
        if holder != str(ground["sales"].id):
            await main.ok("chat.transfer", conversation=conversation, to=str(ground["sales"].id))
        await fence(phone, laptop)
        await organiser.ok("organiser.suspend", account=str(ground["sales"].id), suspended=True)
        # The order is answered: what is said from here on is later, and no socket of the account hears it.
        await buyer.ok("chat.send", conversation=conversation, text="said after the suspension")
        for one in (phone, laptop):
            assert await one.closed() == 4501
            assert after_bye(one) == []
            assert "said after the suspension" not in str(one.heard)
        async with raw(running) as again:
            await again.send(hello(ground["sales"].token))
            await again.turned_away(4501)
        await organiser.ok("organiser.suspend", account=str(ground["sales"].id), suspended=False)
        async with raw(running) as again:  # its sessions ended with the suspension
            await again.send(hello(ground["sales"].token))
            await again.turned_away(4501)


async def test_a_command_on_its_way_is_refused_once_the_account_is_suspended_a6(running: Running) -> None:
    """Every mutating command reads the account again in its own transaction, whatever the door knew."""
    ground = running.ground
    async with peer(running.url, ground["buyer2"].token) as buyer:
        conversation = await chat(running, buyer)
        async with running.node.works.begin() as work:
            await work.connection.execute("UPDATE account SET state = 'suspended' WHERE id = $1", ground["buyer2"].id)
        assert await buyer.refused("chat.send", conversation=conversation, text="x") == "suspended"
        assert await buyer.closed() == 4501


async def test_revoking_a_session_closes_its_sockets_and_no_other_a6_w13(running: Running) -> None:
    ground = running.ground
    manager = ground["manager"]
    session, now = uuid7(), running.node.clock.now()
    async with running.node.works.begin() as work:
        await work.connection.execute(
            "INSERT INTO session (id, account_id, device_id, created_at, used_at, expires_at) "
            "VALUES ($1, $2, 'second', $3, $3, $3::timestamptz + interval '1 day')",
            session,
            manager.id,
            now,
        )
    second = running.node.ground.tokens.mint(session, manager.id, manager.fair, now, now.replace(year=now.year + 1))
    async with peer(running.url, manager.token) as here, peer(running.url, second.token) as there:
        await here.ok("auth.revoke", session=str(session))
        assert await there.closed() == 4501
        await fence(here)


async def test_removing_a_sub_account_closes_its_sockets_a6(running: Running) -> None:
    ground = running.ground
    async with peer(running.url, ground["main"].token) as main, peer(running.url, ground["sales2"].token) as sales:
        await main.ok("team.remove", account=str(ground["sales2"].id))
        assert await sales.closed() == 4501


async def test_a_stopping_node_says_bye_with_spread_delays_and_takes_nobody_new_w14(
    database_url: str, tmp_path: Path
) -> None:
    async with running_node(database_url, tmp_path) as running:
        ground = running.ground
        async with AsyncExitStack() as stack:
            peers = [
                await stack.enter_async_context(peer(running.url, ground[who].token, device=str(number)))
                for who in ("buyer", "main")
                for number in range(10)
            ]
            await says_bye(running, peers)


async def says_bye(running: Running, peers: list[Peer]) -> None:
    conversation = await chat(running, peers[0])
    last = {"t": "call", "cid": str(uuid4()), "op": "chat.send"}
    await peers[0].send(last | {"args": {"conversation": conversation, "text": "on its way"}})
    await peers[0].wait(t="reply", cid=last["cid"])
    await running.node.ground.hub.drain(1.0)
    delays = []
    for one in peers:
        assert await one.closed() == 4000
        bye = await one.wait(t="bye")
        assert bye["code"] == 4000
        delays.append(bye["retry_after_ms"])
    assert len(set(delays)) == len(delays), "they would all come back at once"
    assert max(delays) <= 30_000
    async with raw(running) as late:
        frames, code = await late.end()
        assert (frames, code) == ([], 4000)
