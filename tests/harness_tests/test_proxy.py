"""The fault proxy: each fault is seen by a real peer, in its direction only, and goes away when it is taken back.

Lower bounds of time only: a busy machine may make anything slower, nothing faster.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.harness.proxy import FaultProxy, fault_proxy

SOON: Final = 5.0


@dataclass(slots=True)
class Echo:
    """A server that sends everything back and remembers how each connection ended."""

    endings: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    received: bytearray = field(default_factory=bytearray)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                self.received += data
                self.arrived.set()
                writer.write(data)
                await writer.drain()
            self.endings.put_nowait("fin")
        except ConnectionResetError:
            self.endings.put_nowait("reset")
        finally:
            writer.close()


@asynccontextmanager
async def line() -> AsyncIterator[tuple[Echo, FaultProxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    """An echo server, the proxy before it, and one open connection that has been used once."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with server, fault_proxy(server.sockets[0].getsockname()[:2]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), SOON) == b"hello"
        try:
            yield echo, proxy, reader, writer
        finally:
            writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> float:
    """Send, await the echo, and say how long it took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    writer.write(data)
    assert await asyncio.wait_for(reader.readexactly(len(data)), SOON) == data
    return loop.time() - begun


async def test_a_healthy_line_changes_nothing() -> None:
    async with line() as (_, proxy, reader, writer):
        await exchange(reader, writer, bytes(range(256)) * 4096)
        assert proxy.up.passed == proxy.down.passed == 5 + 256 * 4096
        assert (proxy.accepted, proxy.connections) == (1, 1)


async def test_latency_is_added_per_direction_and_taken_back_while_open() -> None:
    async with line() as (_, proxy, reader, writer):
        proxy.up.set(latency=0.1)
        assert await exchange(reader, writer, b"x") >= 0.1
        proxy.down.set(latency=0.1)
        assert await exchange(reader, writer, b"x") >= 0.2
        proxy.up.set(latency=60.0)
        writer.write(b"late")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(reading := asyncio.ensure_future(reader.readexactly(4))), 0.15)
        proxy.up.heal()
        proxy.down.heal()
        assert await asyncio.wait_for(reading, SOON) == b"late"


async def test_latency_is_a_long_line_and_not_a_slow_one() -> None:
    """Ten chunks sent apart are all in flight together: one latency in all, not ten."""
    async with line() as (_, proxy, reader, writer):
        proxy.up.set(latency=0.2)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(10):
            writer.write(bytes([number]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await asyncio.wait_for(reader.readexactly(10), SOON) == bytes(range(10))
        assert 0.2 <= loop.time() - begun < 2.0


async def test_bandwidth_is_a_ceiling() -> None:
    async with line() as (_, proxy, reader, writer):
        proxy.down.set(bandwidth=100_000, slice_at=2_000)
        assert await exchange(reader, writer, bytes(20_000)) >= 0.2


async def test_slices_arrive_whole_and_in_order() -> None:
    async with line() as (_, proxy, reader, writer):
        proxy.down.set(slice_at=1)
        writer.write(bytes(range(50)))
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < 50:
            pieces.append(await asyncio.wait_for(reader.read(50), SOON))
        assert b"".join(pieces) == bytes(range(50))
        assert len(pieces) > 1, "the slicer handed everything on at once"


async def test_a_black_hole_holds_everything_and_tells_nobody() -> None:
    async with line() as (echo, proxy, reader, writer):
        proxy.up.set(blackhole=True)
        echo.arrived.clear()
        writer.write(b"held")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(echo.arrived.wait(), 0.1)
        assert echo.endings.empty()
        assert not reader.at_eof()
        proxy.up.set(blackhole=False)
        assert await asyncio.wait_for(reader.readexactly(4), SOON) == b"held"


async def test_a_black_hole_takes_new_connections_too() -> None:
    async with line() as (_, proxy, _reader, _writer):
        proxy.down.set(blackhole=True)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"anybody?")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        writer.close()


async def test_reset_reaches_both_sides() -> None:
    async with line() as (echo, proxy, reader, _):
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), SOON)
        assert await asyncio.wait_for(echo.endings.get(), SOON) == "reset"


async def test_half_close_ends_one_way_only() -> None:
    async with line() as (echo, proxy, reader, writer):
        echo.arrived.clear()
        proxy.finish("client")
        assert await asyncio.wait_for(reader.read(1), SOON) == b""
        writer.write(b"still here")
        await asyncio.wait_for(echo.arrived.wait(), SOON)
        assert echo.received.endswith(b"still here")
        assert echo.endings.empty()


@pytest.mark.parametrize("left", [0, 3])
async def test_cut_after_n_bytes_lets_exactly_those_pass(left: int) -> None:
    """With 0 this is the cut between commit and ack: the request arrived, the answer never does."""
    async with line() as (echo, proxy, reader, writer):
        proxy.down.set(cut_after=left)
        writer.write(b"commit me")
        got = bytearray()
        with suppress(ConnectionResetError):
            while data := await asyncio.wait_for(reader.read(100), SOON):
                got += data
            pytest.fail("the connection ended as if nothing had happened")
        assert len(got) <= left  # a reset may overtake bytes in the receiver's own buffer, never add to them
        assert proxy.down.passed == 5 + left
        assert bytes(echo.received) == b"hellocommit me"
        assert proxy.down.cuts == 1
        assert proxy.down.faults.cut_after is None


async def test_reset_ends_a_held_connection_for_good() -> None:
    """What waits in a black hole dies with its connection and does not linger on the proxy."""
    async with line() as (echo, proxy, reader, writer):
        proxy.up.set(blackhole=True)
        writer.write(b"held")
        await writer.drain()
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), SOON)
        await asyncio.wait_for(echo.endings.get(), SOON)
        assert proxy.connections == 0
        proxy.up.heal()
        assert bytes(echo.received) == b"hello"


async def test_refuse_spares_open_connections() -> None:
    async with line() as (_, proxy, reader, writer):
        proxy.refuse()
        new_reader, new_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(new_reader.read(1), SOON)
        new_writer.close()
        await exchange(reader, writer, b"x")
        proxy.refuse(False)
        new_reader, new_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await exchange(new_reader, new_writer, b"x")
        new_writer.close()


async def test_the_end_of_a_stream_is_passed_on() -> None:
    async with line() as (echo, _, reader, writer):
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(1), SOON) == b""
        assert await asyncio.wait_for(echo.endings.get(), SOON) == "fin"


async def test_a_server_that_is_down_is_a_reset() -> None:
    server = await asyncio.start_server(Echo().serve, "127.0.0.1", 0)
    target = server.sockets[0].getsockname()[:2]
    server.close()
    await server.wait_closed()
    async with fault_proxy(target) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), SOON)
        writer.close()


async def test_a_unix_socket_can_be_the_target(tmp_path: Path) -> None:
    """The embedded PostgreSQL listens on nothing else."""
    path = tmp_path / "server.sock"
    server = await asyncio.start_unix_server(Echo().serve, str(path))
    async with server, fault_proxy(path) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await exchange(reader, writer, b"over a socket file")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), SOON)
        writer.close()


def test_a_misspelt_fault_is_an_error() -> None:
    with pytest.raises(TypeError, match="latencey"):
        FaultProxy(("127.0.0.1", 1)).up.set(latencey=1)
