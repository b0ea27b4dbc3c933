"""Heartbeat and tokens over time: who does not answer is closed, any frame is life, a late loop blames nobody (W11, W13)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.harness.clock import ManualClock
from tests.harness.node import Running, running_node
from tests.harness.peer import Peer, peer
from tests.hub.wire import CODECS, fence, passes

BEAT_S, ANSWER_S = 25.0, 8.0
LIFE_S, GRACE_S = 900.0, 30.0


def minted(running: Running, who: str, *, session: Any = None) -> str:
    """A new access token, as a refresh would give it."""
    somebody, now = running.ground[who], running.node.clock.now()
    until = now.replace(year=now.year + 1)
    return running.node.ground.tokens.mint(session or somebody.session, somebody.id, somebody.fair, now, until).token


async def beaten(clock: ManualClock, one: Peer) -> dict[str, Any]:
    """Time passes until a beat comes."""
    for _ in range(round(2 * BEAT_S)):
        await passes(clock, 0.5)
        if any(frame["t"] == "beat" for frame in one.frames):
            break
    return await one.wait(t="beat")


@pytest.fixture
async def calm(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Running]:
    """A node that hardly ever beats, so that time may jump."""
    async with running_node(database_url, tmp_path, clock, beat_interval_s=36_000.0, beat_answer_s=30_000.0) as running:
        yield running


async def answering(clock: ManualClock, seconds: float, *peers: Peer) -> None:
    """Time passes while these peers answer their beats, a second late at most."""
    for _ in range(round(seconds)):
        await passes(clock, 1.0)
        await fence(*peers)


@pytest.mark.parametrize("codec", CODECS)
async def test_a_beat_comes_once_an_interval_with_the_positions_w11(
    timed: Running, clock: ManualClock, codec: str
) -> None:
    async with peer(timed.url, timed.ground["buyer"].token, codec=codec) as buyer:
        beat = await beaten(clock, buyer)
        assert (beat["pos"], beat["fair_pos"]) == (buyer.account[1], buyer.fair[1])
        await buyer.send({"t": "ack", "pos": beat["pos"], "fair_pos": beat["fair_pos"]})
        await fence(buyer)
        await passes(clock, BEAT_S - 2)
        await fence(buyer)
        assert not [frame for frame in buyer.frames if frame["t"] == "beat"]
        await beaten(clock, buyer)


async def test_an_unanswered_beat_closes_4002_and_nobody_else_w11(timed: Running, clock: ManualClock) -> None:
    async with (
        peer(timed.url, timed.ground["buyer"].token) as silent,
        peer(timed.url, timed.ground["main"].token) as main,
    ):
        await answering(clock, BEAT_S + ANSWER_S + 2, main)
        assert await silent.closed() == 4002
        assert (await silent.wait(t="bye"))["code"] == 4002
        await fence(main)


@pytest.mark.parametrize("frame", ["call", "ack", "refresh", "broken"])
async def test_any_frame_counts_as_life_w11(timed: Running, clock: ManualClock, frame: str) -> None:
    async with peer(timed.url, timed.ground["buyer"].token) as buyer:
        for _ in range(3):
            await beaten(clock, buyer)
            await passes(clock, ANSWER_S - 1.5)
            match frame:
                case "call":
                    await buyer.send({"t": "call", "cid": str(uuid4()), "op": "account.show"})
                    await buyer.wait(t="reply")
                case "ack":
                    await buyer.send({"t": "ack", "pos": 0, "fair_pos": 0})
                    await fence(buyer)
                case "refresh":
                    await buyer.send({"t": "refresh", "token": minted(timed, "buyer")})
                    await buyer.wait(t="refreshed")
                case _:
                    await buyer.send({"t": "nonsense"})
                    await buyer.wait(t="error")
            await passes(clock, ANSWER_S)
        assert buyer.close_code is None


async def test_a_loop_that_stood_still_closes_nobody_w11(timed: Running, clock: ManualClock) -> None:
    async with peer(timed.url, timed.ground["buyer"].token) as buyer:
        await beaten(clock, buyer)
        for _ in range(4):
            await clock.pass_(100.0)  # one turn of the loop, a hundred seconds late
        await fence(buyer)
        assert buyer.close_code is None


@pytest.mark.parametrize("codec", CODECS)
async def test_a_token_that_ended_gets_thirty_seconds_then_4005_w13(
    calm: Running, clock: ManualClock, codec: str
) -> None:
    async with peer(calm.url, calm.ground["buyer"].token, codec=codec) as buyer:
        await clock.pass_(LIFE_S + GRACE_S - 1)
        await passes(clock, 0.5)
        await fence(buyer)  # the token has ended, what it opened still works
        await clock.pass_(2.0)
        assert await buyer.closed() == 4005
        assert (await buyer.wait(t="bye"))["code"] == 4005


async def test_a_refresh_in_band_keeps_the_socket_w13(calm: Running, clock: ManualClock) -> None:
    async with peer(calm.url, calm.ground["buyer"].token) as buyer:
        for late in (-60.0, 20.0, -1.0):  # before its end, and within the grace
            await clock.pass_(LIFE_S + late)
            await fence(buyer)
            await buyer.send({"t": "refresh", "token": minted(calm, "buyer")})
            refreshed = await buyer.wait(t="refreshed")
            assert refreshed["expires_at"] == round(clock.now().timestamp() * 1000) + LIFE_S * 1000
        await clock.pass_(LIFE_S + GRACE_S - 1)
        await fence(buyer)
        await clock.pass_(2.0)
        assert await buyer.closed() == 4005


async def test_a_refresh_with_a_wrong_token_ends_the_socket_w13(timed: Running, clock: ManualClock) -> None:
    over = minted(timed, "buyer")
    clock.advance(901)
    wrong = {"forged": 4500, minted(timed, "buyer2"): 4500, minted(timed, "suspended"): 4501, over: 4005}
    for token, code in wrong.items():
        async with peer(timed.url, minted(timed, "buyer")) as buyer:
            await buyer.send({"t": "refresh", "token": token})
            assert await buyer.closed() == code
            assert (await buyer.wait(t="bye"))["code"] == code
