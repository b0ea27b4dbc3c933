"""Announcements that come together: one write for each reader, in order, each of them whole (W2, W3, W4)."""

from __future__ import annotations

import asyncio

from fairwire_server.hub.socket import Link
from tests.harness.node import Running
from tests.harness.peer import peer
from tests.hub.wire import fence

NAME = b"announcement"


class Watched:
    """A socket's connection, with what was written to it."""

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
