"""The line between client and server is cut or stands still: one effect for one command, and nobody waits for a reader (W7, W12)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgpack
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

import fairwire
from fairwire_protocol.events import Announcement
from fairwire_server.clock import milliseconds
from tests.harness.checker import Follow, check
from tests.harness.node import Running, running_node
from tests.harness.peer import peer
from tests.harness.proxy import fault_proxy
from tests.harness.recorder import Recorder

TEXT: Final = "x" * 3_900


async def test_a_cut_between_commit_and_answer_sends_once_w7(running: Running) -> None:
    """The server has stored it and the answer is lost on the way: the same cid comes again, over a new socket."""
    ground, recorder = running.ground, Recorder()
    timing = fairwire.Timing(random=lambda: 0.0)
    async with fault_proxy(("127.0.0.1", running.port)) as proxy:
        line = f"http://127.0.0.1:{proxy.port}"
        async with (
            fairwire.connect(line, token=ground["buyer"].token, timing=timing) as buyer,
            fairwire.connect(running.url, token=ground["main"].token) as main,
        ):
            reply = await buyer.chat.open(exhibitor=ground.exhibitors["acme"])
            conversation = reply.entry.conversation
            sending, reading = recorder.tape("buyer", "buyer-1"), recorder.tape("main", "main-1")
            got: asyncio.Queue[int] = asyncio.Queue()

            @main.on("message")
            def read(event: fairwire.Delivered) -> None:
                message = event.body.message  # type: ignore[union-attr]  # `message` events have one
                reading.read(str(conversation), message.text or "", message.seq)
                got.put_nowait(message.seq)

            for turn in range(12):
                message = sending.invoke(str(conversation))
                proxy.down.set(cut_after=(0, 1, 40)[turn % 3])
                sent = await buyer.chat.send(conversation=conversation, text=message)
                sending.ok(str(conversation), message, sent.seq)
                async with asyncio.timeout(20):
                    assert await got.get() == turn + 1
            assert proxy.down.cuts == 12
            report = check(recorder.history(), [Follow(str(conversation), "main", "main-1")])
            print(report)
            report.assert_clean()
            assert report.acked == 12
            page = await main.chat.history(conversation=conversation)
            assert [message.seq for message in page.messages] == list(range(1, 13))


@asynccontextmanager
async def narrow(database_url: str, folder: Path) -> AsyncIterator[Running]:
    """A node with small queues, so that a reader that stops is noticed soon."""
    async with running_node(database_url, folder, queue_max_bytes=64 * 1024, lagging_max_s=1.0) as running:
        yield running


async def announce(running: Running, count: int, text: str = TEXT) -> int:
    """Announcements of 4 kB to the whole fair; the last one's position."""
    node, pos = running.node, 0
    for number in range(count):
        async with node.works.begin() as work:
            event = Announcement(id=UUID(int=number + 1), ts=milliseconds(work.now), title=f"{number}", text=text)
            pos = await node.ground.streams.announce_fair(work, running.ground.fairs["one"], event)
    return pos


@asynccontextmanager
async def stopped_reader(running: Running, token: str) -> AsyncIterator[ClientConnection]:
    """A client that says hello and then reads nothing more. Its buffers are as small as the system lets them be."""
    parts = urlsplit(running.url)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
    connection = await connect(
        running.url.replace("http", "ws", 1) + "/v1/socket", sock=sock, max_queue=1, max_size=None, compression=None,
        ping_interval=None, close_timeout=0.1, subprotocols=[Subprotocol("fairwire.v1.msgpack")], proxy=None,
    )  # fmt: skip
    hello = {"t": "hello", "protocol": [1, 1], "token": token, "device": {"id": uuid4().hex}}
    await connection.send(bytes(msgpack.packb(hello)))
    try:
        yield connection
    finally:
        await connection.close()


async def _one_stops(running: Running, readers: int) -> None:
    ground = running.ground
    names = ("buyer", "buyer2", "main", "manager", "sales", "sales2", "exhibit", "rival", "rival_sales")
    metrics = running.node.metrics
    async with AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(
                peer(running.url, ground[names[number % len(names)]].token, device=f"d{number}")
            )
            for number in range(readers)
        ]
        connection = await stack.enter_async_context(stopped_reader(running, ground["visitor"].token))
        at = await _positions(connection)
        top = 0
        async with asyncio.timeout(30):
            while 4001 not in metrics.sockets_closed:
                top = await announce(running, 20)
        for one in others:
            assert await one.reached("fair", top) == list(range(1, top + 1)), (
                "in order, once, whatever one of them does"
            )
        assert metrics.sockets_closed == {4001: 1}, "the one that stopped, and nobody else"
        async with asyncio.timeout(30):
            while metrics.sockets > readers:  # it has a second to read that it is cut
                await others[0].ok("account.show")
        assert metrics.sockets == readers
        resume = {"account": at["account"], "fair": at["fair"]}
        back = await stack.enter_async_context(peer(running.url, ground["visitor"].token, resume=resume))
        assert await back.reached("fair", top) == list(range(at["fair"]["pos"] + 1, top + 1)), "it catches up on return"
        answer: dict[str, Any] = next(frame for frame in back.frames if frame["t"] == "resumed")
        assert answer["resumed"] is True


async def _positions(connection: ClientConnection) -> dict[str, Any]:
    """The last thing this client reads: where it stands."""
    while True:
        data = await connection.recv()
        frame: dict[str, Any] = msgpack.unpackb(data)
        if frame["t"] == "resumed":
            return frame


async def test_one_reader_that_stops_is_cut_and_nobody_else_notices_w12(database_url: str, tmp_path: Path) -> None:
    async with narrow(database_url, tmp_path) as running:
        await _one_stops(running, readers=20)


@pytest.mark.soak
async def test_one_of_two_hundred_readers_stops_w12(database_url: str, tmp_path: Path) -> None:
    # peers answer no beat
    async with running_node(database_url, tmp_path, devices_max=30, beat_interval_s=600, beat_answer_s=500) as running:
        await _one_stops(running, readers=200)


async def test_a_slow_reader_lags_and_is_refilled_from_the_log_w12(database_url: str, tmp_path: Path) -> None:
    """It reads again before its time is over: not cut, and not one event missing, repeated or out of order."""
    async with running_node(database_url, tmp_path, queue_max_bytes=64 * 1024) as running, AsyncExitStack() as stack:
        ground, metrics = running.ground, running.node.metrics
        connection = await stack.enter_async_context(stopped_reader(running, ground["visitor"].token))
        await _positions(connection)
        top = 0
        async with asyncio.timeout(30):
            while not metrics.lagged:
                top = await announce(running, 20)
        seen: list[int] = []
        async with asyncio.timeout(30):
            while not seen or seen[-1] < top:
                frame = msgpack.unpackb(await connection.recv())
                if frame["t"] == "event":
                    seen.append(frame["pos"])
        assert seen == list(range(1, top + 1))
        top = await announce(running, 3)  # and it is live again
        async with asyncio.timeout(30):
            while seen[-1] < top:
                frame = msgpack.unpackb(await connection.recv())
                if frame["t"] == "event":
                    seen.append(frame["pos"])
        assert seen == list(range(1, top + 1))
        assert not metrics.sockets_closed
