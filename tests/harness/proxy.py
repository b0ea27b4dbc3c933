"""A TCP proxy that misbehaves on command, between a client and any server of the harness.

    client ── up ──▶ FaultProxy ── up ──▶ server (TCP or a unix socket)
           ◀─ down ─            ◀─ down ─

Each direction has its own `Faults`, which apply to every connection, open or new, from the moment they are set: the
pumps read them before every chunk, and a change wakes a pump that waits. Acts on whole connections (`reset`, `finish`,
`refuse`) happen once. Bytes are never altered or put out of order, as TCP never does; what a network does is delay
them, hold them, and cut them off.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

__all__ = ["Direction", "FaultProxy", "Faults", "fault_proxy"]

_CHUNK = 65_536
_IN_FLIGHT = 64  # chunks on the imagined line, per connection and direction: beyond that the sender is held back


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with one direction of the line."""

    latency: float = 0.0
    """Seconds that every byte takes longer; bytes in flight keep their time, as on a long line."""
    bandwidth: int | None = None
    """Bytes per second and connection."""
    slice_at: int | None = None
    """Largest piece that is handed on at once, each in a write of its own."""
    blackhole: bool = False
    """Nothing passes and nobody is told; what was sent arrives when the hole closes, as TCP would resend it."""
    cut_after: int | None = None
    """Let this many more bytes pass, all connections together, then reset the connection that sent the next."""


@dataclass(slots=True, eq=False)
class Direction:
    """One way through the proxy: its faults now, and how much has passed."""

    faults: Faults = field(default_factory=Faults)
    passed: int = 0
    cuts: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, **faults: Any) -> None:  # the fields of Faults; dataclasses.replace refuses any other
        """Change some faults, for open connections too."""
        self.faults = replace(self.faults, **faults)
        self._changed.set()
        self._changed = asyncio.Event()

    def heal(self) -> None:
        """A sound line again."""
        self.faults = Faults()
        self.set()

    async def until(self, due: float) -> None:
        """Wait for a moment on the loop's clock, or less long when the faults are changed meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._changed.wait()

    async def opened(self) -> None:
        """Wait while there is a black hole."""
        while self.faults.blackhole:
            await self._changed.wait()


@dataclass(slots=True, eq=False)
class _Link:
    """One client's connection and the one made for it to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    pumps: asyncio.Task[None]

    def reset(self) -> None:
        """RST to both sides, whatever is still queued or held on the line."""
        _abort(self.client)
        _abort(self.server)
        self.pumps.cancel()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close with RST (a linger time of nought), or plainly on a unix socket, which knows no RST."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0 and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class FaultProxy:
    """Listens on a free port of 127.0.0.1 and passes on to `target`: `(host, port)`, or the path of a unix socket."""

    def __init__(self, target: tuple[str, int] | Path) -> None:
        self.target = target
        self.up = Direction()
        self.down = Direction()
        self.refusing = False
        self.accepted = 0
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where clients connect to."""
        assert self._server is not None, "the proxy has not been started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    async def start(self) -> None:
        """Listen; the port is known afterwards."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def close(self) -> None:
        """Stop listening, reset what is open, wait for every task."""
        assert self._server is not None, "the proxy has not been started"
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def reset(self) -> int:
        """RST on every open connection; returns how many there were."""
        links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    def finish(self, side: Literal["client", "server", "both"]) -> None:
        """FIN towards one side only: it sees the end of the stream, and may still send (half-close)."""
        for link in self._links:
            for name, writer in (("client", link.client), ("server", link.server)):
                if side in {name, "both"} and not writer.is_closing():
                    writer.write_eof()

    def refuse(self, refusing: bool = True) -> None:
        """Reset every new connection at once, until it is taken back; open ones stay."""
        self.refusing = refusing

    async def _accept(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.accepted += 1
        if self.refusing:
            _abort(client)
            return
        try:
            server_reader, server = await self._connect()
        except OSError:
            _abort(client)
            return
        link = _Link(client, server, task)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, client_reader, server, self.up))
                pumps.create_task(self._pump(link, server_reader, client, self.down))
        except asyncio.CancelledError:
            # Link.reset and close cancel this task, which is the top of its own; Python 3.11's start_server takes a
            # handler that ends as cancelled for a crash, and logs it.
            pass
        finally:
            self._links.discard(link)
            client.close()
            server.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(str(self.target))
        return await asyncio.open_connection(*self.target)

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        """One direction of one connection: what is read waits on the line until it is due, then is handed on."""
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_fill(reader, line))
                both.create_task(self._drain(link, line, writer, direction))
        except* (OSError, RuntimeError):
            # A reset by either side is passed on to the other. OSError: the socket is not connected any more. RuntimeError:
            # uvloop's word for a closed transport.
            link.reset()

    async def _drain(
        self, link: _Link, line: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            read_at, data = await line.get()
            while (due := read_at + direction.faults.latency) > loop.time():
                await direction.until(due)
            await direction.opened()
            if not data:
                if not writer.is_closing():
                    with contextlib.suppress(OSError):  # the other end was reset in this very moment
                        writer.write_eof()
                return
            while data:
                await direction.opened()
                faults = direction.faults
                piece, data = data[: faults.slice_at or _CHUNK], data[faults.slice_at or _CHUNK :]
                if faults.bandwidth is not None:
                    await _pace(direction, loop.time() + len(piece) / faults.bandwidth)
                if faults.cut_after is not None:
                    await self._count(link, writer, direction, piece, faults.cut_after)
                writer.write(piece)
                direction.passed += len(piece)
                await writer.drain()
                if faults.slice_at is not None:
                    await asyncio.sleep(0)  # lets the write reach the socket on its own

    async def _count(
        self, link: _Link, writer: asyncio.StreamWriter, direction: Direction, piece: bytes, left: int
    ) -> None:
        """Count down to the cut; at the cut hand on what still passes, then reset. Returns while nothing is cut."""
        if len(piece) <= left:
            direction.faults = replace(direction.faults, cut_after=left - len(piece))
            return
        direction.faults = replace(direction.faults, cut_after=None)
        direction.cuts += 1
        if left:
            writer.write(piece[:left])
            direction.passed += left
            await writer.drain()
        link.reset()
        raise ConnectionResetError("cut by the fault proxy")


async def _fill(reader: asyncio.StreamReader, line: asyncio.Queue[tuple[float, bytes]]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        data = await reader.read(_CHUNK)
        await line.put((loop.time(), data))
        if not data:
            return


async def _pace(direction: Direction, due: float) -> None:
    """Wait until a narrow line would have taken the piece; a widened line lets go at once."""
    loop = asyncio.get_running_loop()
    while direction.faults.bandwidth is not None and due > loop.time():
        await direction.until(due)


@contextlib.asynccontextmanager
async def fault_proxy(target: tuple[str, int] | Path) -> AsyncIterator[FaultProxy]:
    """A started proxy, closed at the end."""
    proxy = FaultProxy(target)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
