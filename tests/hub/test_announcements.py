"""Announcements that come together: one write for each reader, in order, each of them whole (W2, W3, W4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from fairwire_server.hub import fair_channel
from fairwire_server.hub.fair_channel import AT_ONCE, SLICE, sockets_of_turn
from fairwire_server.hub.socket import Link
from tests.harness.node import Running
from tests.harness.peer import peer
from tests.hub.wire import CODECS, fence

NAME = b"announcement"


class Watched:
    """A socket's connection, with what was written to it, none of it past `write`."""

    fd = -1
    busy: Callable[[], None] | None = None

    def __init__(self, link: Link) -> None:
        self._link = link
        self.written: list[bytes] = []

    def write(self, data: bytes) -> bool:
        self.written.append(data)
        return self._link.write(data)

    async def drained(self) -> None:
        await self._link.drained()

    async def close(self, code: int, reason: str) -> None:
        await self._link.close(code, reason)

    def abort(self) -> None:
        self._link.abort()


async def test_four_that_come_together_are_one_write_for_each_reader_w3(running: Running) -> None:
    ground = running.ground
    async with (
        peer(running.url, ground["organiser"].token) as organiser,
        peer(running.url, ground["buyer"].token) as buyer,
    ):
        (socket,) = running.node.ground.hub.sockets_of([ground["buyer"].id])
        socket.link = watched = Watched(socket.link)
        before = buyer.fair[1]
        replies = await asyncio.gather(*(organiser.ok("fair.announce", title=f"{number}") for number in range(4)))
        await fence(buyer)
        told = [data for data in watched.written if NAME in data]
        assert [data.count(NAME) for data in told] == [4]
        events = [frame for frame in buyer.heard if frame["t"] == "event" and frame["stream"] == "fair"]
        assert [frame["pos"] for frame in events] == list(range(before + 1, before + 5))
        assert {frame["body"]["id"] for frame in events} == {reply["id"] for reply in replies}


async def test_what_takes_several_turns_of_the_loop_reaches_everybody_once_and_in_order_w3_w4(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_channel, "AT_ONCE", 2)
    monkeypatch.setattr(fair_channel, "SLICE", 1)
    ground = running.ground
    async with AsyncExitStack() as stack:
        organiser = await stack.enter_async_context(peer(running.url, ground["organiser"].token))
        peers = [
            await stack.enter_async_context(peer(running.url, ground[who].token, codec=codec))
            for who in ("buyer", "main", "sales")
            for codec in CODECS
        ]
        before = organiser.fair[1]
        for _ in range(2):
            await asyncio.gather(*(organiser.ok("fair.announce", title=f"{number}") for number in range(3)))
        for one in (organiser, *peers):
            assert await one.reached("fair", before + 6) == list(range(before + 1, before + 7))


@pytest.mark.parametrize(
    ("before", "took", "elsewhere", "then"),
    [
        (AT_ONCE, 0.008, 0.00001, SLICE),
        (SLICE, 0.002, 0.0, SLICE),
        (SLICE, 0.002, 0.0008, 480),
        (600, 0.006, 0.003, 900),
        (600, 0.006, 1.0, AT_ONCE),
        (SLICE, 0.0, 0.5, AT_ONCE),
    ],
)
def test_on_a_busy_node_a_turn_has_more_sockets_within_its_bounds(
    before: int, took: float, elsewhere: float, then: int
) -> None:
    assert sockets_of_turn(before, took, elsewhere) == then
