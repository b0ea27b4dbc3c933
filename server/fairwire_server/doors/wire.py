"""The connection below a socket, from its upgrade on: the transport's own protocol, without a task and without aiohttp's objects.

aiohttp takes the request and sends the 101; then the transport is handed over and its handler returns. What is read goes straight
to whoever listens; what is written goes straight to the operating system where nothing is queued, past the loop's queue, and what
that does not take at once, the transport sends when it can.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final, Protocol, cast

from aiohttp import web
from aiohttp.http import WebSocketReader

from fairwire_server.doors.websocket import CLOSE, PING, PONG, Broken, FrameReader, close_frame, pong

__all__ = ["Listener", "Wire", "hand_over"]

ANSWER_S: Final = 3.0
"""How long a close frame of ours is waited for to be answered."""


class Listener(Protocol):
    """Whoever is told what a wire receives."""

    def received(self, data: bytes | str) -> None:
        """A whole message: `str` if it came as text."""

    def ended(self) -> None:
        """The connection is gone. Called once."""


class Wire(asyncio.Protocol):
    """One upgraded connection."""

    __slots__ = (
        "_closing",
        "_drained",
        "_ended",
        "_file",
        "_frames",
        "_held",
        "_lost",
        "_paused",
        "_reading",
        "_transport",
        "_turn",
        "busy",
        "fd",
        "listener",
    )

    def __init__(self, transport: asyncio.Transport, limit: int) -> None:
        self.listener: Listener | None = None
        self._transport = transport
        self._frames = FrameReader(limit)
        self.busy: Callable[[], None] | None = None
        self._file: int = transport.get_extra_info("socket").fileno()
        self.fd = self._file
        self._paused = False
        self._reading = True
        self._held = False
        self._turn: asyncio.Handle | None = None
        self._closing = False
        self._lost = False
        self._drained: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None

    # what comes in

    def data_received(self, data: bytes) -> None:
        self._take(data)
        if self._frames.more and not self._held and not self._transport.is_closing():
            self._held = True
            self._transport.pause_reading()
            self._go_on_soon()

    def _go_on_soon(self) -> None:
        """Once the others have had their turn."""
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Take more of what has come. While the listener does not read, it stays where it is."""
        self._turn = None
        if not self._reading or self._transport.is_closing():
            return
        self._take(b"")
        if self._frames.more:
            self._go_on_soon()
        else:
            self._held = False
            self._read_on()

    def _take(self, data: bytes) -> None:
        try:
            received = self._frames.feed(data)
        except Broken as broken:
            self._end(broken.code, broken.reason)
            return
        for opcode, payload in received:
            if opcode == CLOSE:
                self._end(cast(int, payload) or 1000)
                return
            if opcode == PING:
                if not self._paused:  # who does not read gets no more to read
                    self.write(pong(cast(bytes, payload)))
            elif opcode != PONG and self.listener is not None:
                self.listener.received(payload)  # type: ignore[arg-type]  # a number is a close frame's

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._occupy()
        for waiting in (self._drained, self._ended):
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
        if self.listener is not None:
            self.listener.ended()
            self.listener = None  # whoever listened holds this wire too

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self._lost

    def pause_reading(self) -> None:
        """Read no more for now: TCP tells the client."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            if not self._held:
                self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._read_on()

    def _read_on(self) -> None:
        """Of what has come already first, then of the transport."""
        if self._reading and not self._transport.is_closing():
            if self._held:
                self._go_on_soon()
            else:
                self._transport.resume_reading()

    # what goes out

    def write(self, data: bytes) -> bool:
        """Hand bytes over. Answers whether there is more waiting than there should be: then `drained` comes first."""
        if self.fd >= 0:
            try:
                sent = os.write(self.fd, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.abort()
                return False
            if sent == len(data):
                return False
            data = data[sent:]
            self._occupy()
        transport = self._transport
        if self._lost or transport.is_closing():
            return False
        transport.write(data)
        # The descriptor is ours to write to again once the transport has nothing left; it is open until `connection_lost`.
        self.fd = -1 if transport.get_write_buffer_size() else self._file
        return self._paused

    def _occupy(self) -> None:
        """From here on nobody writes to the descriptor but the transport."""
        self.fd = -1
        if self.busy is not None:
            self.busy()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    async def drained(self) -> None:
        """Return once little enough waits, or the connection is gone."""
        if self._paused and not self._lost:
            if self._drained is None or self._drained.done():
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)

    # the end

    async def close(self, code: int, reason: str) -> None:
        """The closing handshake: ours, then the client's, then the connection's end."""
        if self._lost:
            return
        if not self._closing:
            self._closing = True
            self.write(close_frame(code, reason))
        self.resume_reading()  # or its answer is never seen
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ANSWER_S):
                await asyncio.shield(self._ended)
        except TimeoutError:
            self._hang_up()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._occupy()
        self._transport.abort()

    def _end(self, code: int, reason: str = "") -> None:
        """The client closes, answers our closing, or has broken the protocol: say so once and go."""
        if not self._closing:
            self._closing = True
            self.write(close_frame(code, reason))
        self._hang_up()

    def _hang_up(self) -> None:
        """Close once everything written is out."""
        self._occupy()
        self._transport.close()


class _Tail:
    """What came behind the upgrade in the same packets."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        pass


async def hand_over(request: web.Request, answer: web.StreamResponse, limit: int) -> tuple[Wire, bytes]:
    """Send the prepared 101 and take the connection away from aiohttp. Gives the wire, and what is to be fed to it first.

    Raises `ConnectionResetError` when it has ended already.
    """
    await answer.prepare(request)
    await answer.write_eof()
    old, transport = request.protocol, request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("The client has gone.")
    tail = _Tail()
    old.set_parser(cast(WebSocketReader, tail))
    wire = Wire(transport, limit)
    transport.set_protocol(wire)
    old.transport = None  # or aiohttp would close it
    old.connection_lost(None)  # for aiohttp it is over: it lets go of everything
    return wire, tail.data
