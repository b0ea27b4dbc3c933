"""Opening a socket and what ends it at once: subprotocol, first frame, version, token, devices (W1, W13, W15)."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from uuid_utils.compat import uuid7
from websockets.exceptions import InvalidStatus

from tests.harness.clock import ManualClock
from tests.harness.node import Running, running_node
from tests.harness.peer import peer
from tests.hub.wire import CODECS, chat, fence, hello, raw


@pytest.mark.parametrize("codec", CODECS)
async def test_no_hello_in_time_closes_4504_w1(database_url: str, tmp_path: Path, codec: str) -> None:
    async with running_node(database_url, tmp_path, first_frame_s=0.05) as running, raw(running, codec) as one:
        await one.turned_away(4504)


@pytest.mark.parametrize("offered", [[], ["fairwire.v9.msgpack"], ["chat"]])
async def test_no_common_subprotocol_closes_4503_w1(running: Running, offered: list[str]) -> None:
    async with raw(running, subprotocols=offered) as one:
        frames, code = await one.end()
        assert (frames, code) == ([], 4503)


async def test_the_first_common_subprotocol_is_taken_and_compression_is_not_w1_w15(running: Running) -> None:
    offered = ["fairwire.v9.json", "fairwire.v1.json", "fairwire.v1.msgpack"]
    async with raw(running, "json", subprotocols=offered, compression="deflate") as one:
        assert one.connection.subprotocol == "fairwire.v1.json"
        assert not one.connection.protocol.extensions
        await one.send(hello(running.ground["buyer"].token))
        assert (await one.receive())["t"] == "welcome"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("offered", [[2, 3], [5, 1], [0, 0], [-1, 0]])
async def test_no_common_version_closes_4503_w1(running: Running, codec: str, offered: list[int]) -> None:
    async with raw(running, codec) as one:
        await one.send(hello(running.ground["buyer"].token, protocol=offered))
        await one.turned_away(4503)


async def test_the_highest_common_version_is_spoken_w1(running: Running) -> None:
    async with raw(running) as one:
        await one.send(hello(running.ground["buyer"].token, protocol=[0, 7]))
        assert (await one.receive())["protocol"] == 1


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    "first",
    [
        {"t": "call", "cid": str(uuid4()), "op": "account.show"},
        {"t": "ack", "pos": 0, "fair_pos": 0},
        {"t": "refresh", "token": "x"},
        {"t": "greeting"},
        {"t": "hello"},
        {},
        [],
        None,
    ],
)
async def test_a_first_frame_that_is_no_hello_closes_4504_w1(running: Running, codec: str, first: object) -> None:
    async with raw(running, codec) as one:
        await one.send(one.encode(first))
        await one.turned_away(4504)


@pytest.mark.parametrize("codec", CODECS)
async def test_a_forged_token_closes_4500_w13(running: Running, codec: str) -> None:
    token = running.ground["buyer"].token
    for forged in ("x", "", token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), token[4:], "é" * 30, token * 3):
        async with raw(running, codec) as one:
            await one.send(hello(forged))
            await one.turned_away(4500)


async def test_a_token_of_no_known_session_closes_4500_w13(running: Running) -> None:
    buyer, now = running.ground["buyer"], running.node.clock.now()
    token = running.node.ground.tokens.mint(uuid7(), buyer.id, buyer.fair, now, now.replace(year=now.year + 1))
    async with raw(running) as one:
        await one.send(hello(token.token))
        await one.turned_away(4500)


async def test_a_token_that_is_over_closes_4005_w13(timed: Running, clock: ManualClock) -> None:
    clock.advance(901)
    async with raw(timed) as one:
        await one.send(hello(timed.ground["buyer"].token))
        await one.turned_away(4005)


async def test_a_suspended_account_is_closed_4501_a6_w13(running: Running) -> None:
    async with raw(running) as one:
        await one.send(hello(running.ground["suspended"].token))
        await one.turned_away(4501)


async def test_a_revoked_session_is_closed_4501_w13(running: Running) -> None:
    leaving = running.ground["buyer2"].token
    async with peer(running.url, leaving) as buyer:
        await buyer.ok("auth.sign_out")
        assert await buyer.closed() == 4501
    async with raw(running) as one:
        await one.send(hello(leaving))
        await one.turned_away(4501)


async def test_an_eleventh_device_is_closed_4502_and_the_ten_stay_w13_w15(running: Running) -> None:
    token = running.ground["manager"].token
    async with AsyncExitStack() as stack:
        ten = [await stack.enter_async_context(peer(running.url, token)) for _ in range(10)]
        async with raw(running) as eleventh:
            await eleventh.send(hello(token))
            await eleventh.turned_away(4502)
        await fence(*ten)
        async with peer(running.url, token, device="one more", until=None) as refused:
            assert await refused.closed() == 4502
        await ten.pop().hang_up()
        async with peer(running.url, token) as freed:
            await fence(freed, *ten)


async def test_a_new_socket_of_the_same_device_replaces_the_old_one_w13(running: Running) -> None:
    token = running.ground["buyer"].token
    async with peer(running.url, token, device="phone") as old, peer(running.url, token, device="phone") as new:
        assert await old.closed() == 4502
        assert (await old.wait(t="bye"))["code"] == 4502
        await chat(running, new)


async def test_an_origin_must_be_on_the_list_w1(database_url: str, tmp_path: Path) -> None:
    async with running_node(database_url, tmp_path, allowed_origins=("https://fair.example",)) as running:
        token = running.ground["buyer"].token
        for origin in (None, "https://fair.example"):
            async with raw(running, origin=origin) as one:
                await one.send(hello(token))
                assert (await one.receive())["t"] == "welcome"
        for origin in ("https://evil.example", "http://fair.example", "https://fair.example.evil", "null"):
            with pytest.raises(InvalidStatus) as refused:
                async with raw(running, origin=origin):
                    pass
            assert refused.value.response.status_code == 403


@pytest.mark.parametrize("name", ["token", "access_token", "authorization"])
async def test_a_token_in_a_url_is_no_token_w1(running: Running, name: str) -> None:
    token = running.ground["buyer"].token
    async with ClientSession() as session, session.get(f"{running.url}/v1/me", params={name: token}) as response:
        assert response.status == 401
    async with raw(running, path=f"/v1/socket?{name}={token}") as one:
        await one.send(hello(""))
        await one.turned_away(4500)


async def test_every_limit_is_told_in_welcome_w15(running: Running) -> None:
    async with raw(running) as one:
        await one.send(hello(running.ground["buyer"].token))
        limits = (await one.receive())["limits"]
    told = {"frame_bytes": 65_536, "depth": 16, "devices": 10, "subscriptions": 50, "in_flight": 8, "text_chars": 4000}
    assert told.items() <= limits.items()


async def test_in_a_storm_some_are_told_when_to_come_back_and_the_rest_gets_in_w13_w14(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        running_node(database_url, tmp_path, connecting_max=1, connecting_wait_s=0.0, devices_max=20) as running,
        AsyncExitStack() as stack,
    ):
        many = [await stack.enter_async_context(raw(running)) for _ in range(12)]
        for one in many:
            await one.send(hello(running.ground["buyer"].token))
        firsts = [await one.receive() for one in many]
        away = [frame for frame in firsts if frame["t"] == "bye"]
        assert {frame["t"] for frame in firsts} == {"welcome", "bye"}
        assert {frame["code"] for frame in away} == {4004}
        assert all(frame["retry_after_ms"] > 0 for frame in away)
        assert running.node.metrics.sockets == len(many) - len(away)


async def test_a_fault_of_ours_at_the_hello_drops_the_connection_and_is_logged_w1(
    database_url: str, tmp_path: Path, log: list[str]
) -> None:
    async with running_node(database_url, tmp_path) as running, raw(running) as one:
        async with running.node.works.begin() as work:
            await work.connection.execute("ALTER TABLE session RENAME COLUMN device_id TO lost")
        await one.send(hello(running.ground["buyer"].token))
        _, code = await one.end()
        assert code == 1006
        assert log
        log.clear()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("stream", ["account", "fair"])
@pytest.mark.parametrize(
    "odd", [{"pos": -1}, {"pos": 2**53}, {"pos": 2**63 - 1}, {"pos": -(2**63)}, {"epoch": -1}, {"epoch": 0}]
)
async def test_a_position_that_no_stream_has_is_answered_by_a_first_state_w6(
    running: Running, codec: str, stream: str, odd: dict[str, int]
) -> None:
    token = running.ground["buyer"].token
    async with peer(running.url, token, codec=codec) as one:
        await chat(running, one)
        told = next(frame for frame in one.heard if frame["t"] == "resumed")
    at = {name: dict(told[name]) for name in ("account", "fair")}
    at[stream].update(odd)
    async with peer(running.url, token, codec=codec, resume=at) as back:
        answer = next(frame for frame in back.heard if frame["t"] == "resumed")
        assert answer["resumed"] is False
        assert answer["reason"] in ("epoch", "too_old")
        assert any(frame["t"] == "snapshot" for frame in back.heard)
