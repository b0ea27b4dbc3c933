"""The load generator's socket: as little work a frame as Python can do, so that the generator does not become what is measured.

It speaks the public wire and nothing else: an HTTP upgrade, masked frames (with the zero mask, which costs nothing), MessagePack
maps of which only the fields that a bench needs are decoded. Beats are answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar, cast

import msgspec

from bench.common import Served

__all__ = ["UPGRADE", "Frame", "Wire", "connect_all", "frames_in", "masked"]

UPGRADE: Final = (
    b"GET /v1/socket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: fairwire.v1.msgpack\r\n\r\n"
)
PATIENCE_S: Final = 60.0


class Frame(msgspec.Struct, frozen=True, gc=False):
    """What a bench looks at in a frame from the server."""

    t: str
    pos: int = 0
    fair_pos: int = 0
    stream: str = ""
    cid: str = ""
    code: str | int = ""
    retry_after_ms: int = 0
    body: msgspec.Raw = msgspec.Raw(b"")
    result: msgspec.Raw = msgspec.Raw(b"")


_decode = msgspec.msgpack.Decoder(Frame).decode
_encode = msgspec.msgpack.encode


def masked(payload: bytes) -> bytes:
    """A whole client frame around a payload; the zero mask costs nothing."""
    size = len(payload)
    head = bytes((0x82, 0x80 | size)) if size < 126 else bytes((0x82, 0xFE, size >> 8, size & 0xFF))
    return head + b"\0\0\0\0" + payload


def frames_in(data: bytes | bytearray) -> Iterator[tuple[int, Frame]]:
    """The whole server frames at the beginning of `data`, each with its size on the wire."""
    at, end = 0, len(data)
    while end - at >= 4:
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
        elif size == 127:
            size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
        if start + size > end:
            return
        yield start + size - at, _decode(data[start : start + size])
        at = start + size


class Wire(asyncio.Protocol):
    """One socket. `live` is done once the first state is there; `on_frame` gets every frame after that but beats."""

    def __init__(self, token: str, device: str) -> None:
        self.live: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_frame: Callable[[Frame], None] = lambda _: None
        self.pos = self.fair_pos = 0
        self.transport: asyncio.Transport
        self._buffer = b""
        self._upgraded = False
        self._hello = {"t": "hello", "protocol": [1, 1], "token": token, "device": {"id": device}}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(UPGRADE)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.live.done():
            self.live.set_exception(ConnectionError("closed before it was live"))

    def send(self, frame: object) -> None:
        """Send one frame."""
        self.write(_encode(frame))

    def write(self, payload: bytes) -> None:
        """Send one encoded frame, masked with zeros."""
        self.transport.write(masked(payload))

    def call(self, cid: str, op: str, args: object) -> None:
        """Start a call."""
        self.send({"t": "call", "cid": cid, "op": op, "args": args})

    def ack(self) -> None:
        """Tell how far this socket is."""
        self.send({"t": "ack", "pos": self.pos, "fair_pos": self.fair_pos})

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        at = 0 if self._upgraded else self._upgrade(data)
        end = len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start + size > end or start > end:
                break
            if data[at] == 0x82:
                self._take(_decode(data[start : start + size]))
            at = start + size
        self._buffer = data[at:] if at < end else b""

    def _upgrade(self, data: bytes) -> int:
        """The end of the HTTP answer, or 0 while it is not there."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return len(data) and 0
        if not data.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(data[:200])
        self._upgraded = True
        self.send(self._hello)
        return end + 4

    def _take(self, frame: Frame) -> None:
        if frame.t == "event":
            if frame.stream == "account":
                self.pos = frame.pos
            else:
                self.fair_pos = frame.pos
            self.on_frame(frame)
        elif frame.t == "beat":
            self.ack()
        elif frame.t == "live":
            self.pos, self.fair_pos = frame.pos, frame.fair_pos
            if not self.live.done():
                self.live.set_result(None)
        elif frame.t == "bye":
            raise ConnectionError(f"bye {frame.code}")
        elif self.live.done():
            self.on_frame(frame)


SomeWire = TypeVar("SomeWire", bound=Wire)


async def connect_all(
    served: Served, tokens: Sequence[str], make: Callable[[str, str], SomeWire], at_once: int = 50
) -> list[SomeWire]:
    """A live socket for each token, in their order."""
    turns = asyncio.Semaphore(at_once)

    async def one(number: int, token: str) -> SomeWire:
        async with turns, asyncio.timeout(PATIENCE_S):
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: make(token, f"bench-{number}"), served.host, served.port
            )
            await wire.live
            return wire

    return await asyncio.gather(*(one(number, token) for number, token in enumerate(tokens)))
