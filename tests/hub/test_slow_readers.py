"""A reader that stops: it lags, then it is closed; ephemera go first; nobody else notices (W12)."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.harness.node import Running, running_node
from tests.harness.peer import peer
from tests.hub.wire import fence, hello

BIG = "字" * 3900  # 11.7 KB on the wire


class Stuck:
    """A socket whose reader can stand still: hardly anything fits into its buffers."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.positions: list[int] = []
        self.kinds: list[str] = []

    async def read_until(self, done: Any) -> None:
        """Read frames until one of them is it; acks nothing."""
        async with asyncio.timeout(20):
            while True:
                frame = msgpack.unpackb(await self.connection.recv())
                self.kinds.append(frame["t"])
                if frame["t"] == "event" and frame["stream"] == "fair":
                    self.positions.append(frame["pos"])
                if done(frame):
                    return


@asynccontextmanager
async def stuck(running: Running, who: str) -> AsyncIterator[Stuck]:
    """Live, then read no more until told."""
    plain = sockets.socket()
    plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    plain.connect(("127.0.0.1", running.port))
    plain.setblocking(False)
    async with connect(
        running.url.replace("http", "ws") + "/v1/socket", sock=plain, subprotocols=[Subprotocol("fairwire.v1.msgpack")],
        compression=None, max_queue=1, proxy=None, max_size=None, close_timeout=1,
    ) as connection:  # fmt: skip
        await connection.send(msgpack.packb(hello(running.ground[who].token)))
        one = Stuck(connection)
        await one.read_until(lambda frame: frame["t"] == "live")
        yield one


async def announce(running: Running, organiser: Any, count: int) -> int:
    """Fill everybody's queue; the last position."""
    pos = 0
    for number in range(count):
        pos = (await organiser.ok("fair.announce", title=f"{number}", text=BIG))["pos"]
    return pos


async def test_a_reader_that_stops_lags_and_catches_up_in_order_from_the_log_w12(
    database_url: str, tmp_path: Path
) -> None:
    async with running_node(database_url, tmp_path, queue_max_bytes=100_000) as running:
        ground, metrics = running.ground, running.node.metrics
        async with (
            peer(running.url, ground["organiser"].token) as organiser,
            peer(running.url, ground["main"].token) as main,
            stuck(running, "buyer") as slow,
        ):
            last, sent = 0, 0
            while metrics.lagged == 0:
                last = await announce(running, organiser, 20)
                sent += 20
                assert sent < 2000
            await fence(main)
            assert main.fair[1] == last, "others have everything"
            await slow.read_until(lambda frame: frame["t"] == "event" and frame["pos"] == last)
            assert slow.positions == list(range(last - sent + 1, last + 1))
            last = await announce(running, organiser, 1)  # and it is live again
            await slow.read_until(lambda frame: frame["t"] == "event" and frame["pos"] == last)


async def test_a_reader_that_never_comes_back_is_closed_4001_and_nobody_else_w12(
    database_url: str, tmp_path: Path
) -> None:
    async with running_node(database_url, tmp_path, queue_max_bytes=100_000, lagging_max_s=0.5) as running:
        ground, metrics = running.ground, running.node.metrics
        async with (
            peer(running.url, ground["organiser"].token) as organiser,
            peer(running.url, ground["main"].token) as main,
            stuck(running, "buyer") as slow,
        ):
            last = 0
            while metrics.sockets_closed[4001] == 0:
                last = await announce(running, organiser, 20)
            queued = [one.queued for one in running.node.ground.hub.sockets.values()]
            assert max(queued) <= 100_000 + 2 * len(BIG) * 3
            await fence(main)
            assert main.fair[1] == last
            assert main.close_code is None
            with suppress(ConnectionClosed):
                await slow.read_until(lambda _: False)
            assert slow.positions == sorted(slow.positions)


async def test_ephemera_are_dropped_first_w12(database_url: str, tmp_path: Path) -> None:
    async with running_node(database_url, tmp_path, queue_max_frames=40) as running:
        ground, metrics = running.ground, running.node.metrics
        async with (
            peer(running.url, ground["organiser"].token) as organiser,
            peer(running.url, ground["buyer"].token) as buyer,
            stuck(running, "main") as holder,
        ):
            opened = await buyer.ok("chat.open", exhibitor=str(ground.exhibitors["acme"]))
            conversation = opened["entry"]["conversation"]
            await buyer.ok("chat.send", conversation=conversation, text="hello")
            mine = next(
                one for one in running.node.ground.hub.sockets.values() if one.caller.account == ground["main"].id
            )
            while not mine.over_half():
                await organiser.ok("fair.announce", title="x", text=BIG)
            assert mine.live
            await buyer.ok("chat.typing", conversation=conversation)
            assert metrics.ephemera_dropped == 1
            last = await announce(running, organiser, 1)
            await holder.read_until(
                lambda frame: frame["t"] == "event" and frame["pos"] == last and frame["stream"] == "fair"
            )
            assert "typing" not in holder.kinds
            assert holder.positions == list(range(1, last + 1))
