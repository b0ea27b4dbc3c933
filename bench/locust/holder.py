"""The cheap holder: thousands of sockets that only wait, as most people of a fair do, at almost no cost to the generator.

    python -m bench.locust.holder --host URL --accounts FILE --users N --hold M

A process of its own, started by the run (`--hold M`). Its sockets decode nothing but what a waiting client must: the greeting, beats,
positions; and an announcement, which is the same bytes for all of them, once. They receive the announcements and resume after a
cut, so they count in the fan-out and in "all live again". A line a second goes to standard output as JSON (`Report`); it obeys `cut`
on standard input, and ends with anything else.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import ssl
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final, cast

import msgspec
import uvloop

from bench.locust.cast import Actor, Cast, read_actors
from bench.locust.fanout import Fanout, Spread
from bench.locust.line import Address

__all__ = ["Report", "main"]

AT_ONCE: Final = 64
FIRST_TRY_S: Final = 0.5
LAST_TRY_S: Final = 30.0


class Report(msgspec.Struct, kw_only=True):
    """What happened since the last report. Times are counted by whole milliseconds."""

    live: int
    spreads: list[Spread]
    delivered: dict[int, int]
    connected: dict[int, int]
    again: dict[int, int]
    lost: int
    closed: dict[str, int]
    share: float


class Place(msgspec.Struct, frozen=True):
    """A position of a stream."""

    epoch: int
    pos: int


class Frame(msgspec.Struct, frozen=True, gc=False):
    """What a waiting client looks at."""

    t: str
    pos: int = 0
    fair_pos: int = 0
    stream: str = ""
    to: int = 0
    code: int | str = ""
    retry_after_ms: int | None = None
    account: msgspec.Raw = msgspec.Raw(b"")
    fair: msgspec.Raw = msgspec.Raw(b"")
    body: msgspec.Raw = msgspec.Raw(b"")


class News(msgspec.Struct, frozen=True):
    """What of an announcement its time is taken from."""

    id: str
    ts: int


_frame = msgspec.msgpack.Decoder(Frame).decode
_place = msgspec.msgpack.Decoder(Place).decode
_news = msgspec.msgpack.Decoder(News).decode
_encode = msgspec.msgpack.encode


class Held(asyncio.Protocol):
    """One socket, from its greeting to its end."""

    def __init__(self, holder: Holder, seat: Seat) -> None:
        self.live = False
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self._holder = holder
        self._seat = seat
        self._buffer = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._holder.upgrade)

    def connection_lost(self, error: Exception | None) -> None:
        if self.live:
            self._holder.live -= 1
            self.live = False
        if not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        known, news = self._holder.latest
        if data == known and not self._buffer:
            self._take(news)
            return
        data, self._buffer = self._buffer + data, b""
        at, end = 0, len(data)
        if not self._upgraded:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._buffer = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self._holder.closed[data[:12].decode("latin-1")] += 1
                self.transport.abort()
                return
            self._upgraded = True
            self._send(self._seat.hello())
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start > end or start + size > end:
                break
            if data[at] == 0x82:
                frame = _frame(data[start : start + size])
                if frame.stream == "fair" and not at and start + size == end:
                    self._holder.latest = (data, frame)
                self._take(frame)
            at = start + size
        self._buffer = data[at:]

    def _send(self, frame: object) -> None:
        payload = _encode(frame)
        size = len(payload)
        head = bytes((0x82, 0x80 | size)) if size < 126 else b"\x82\xfe" + size.to_bytes(2, "big")
        self.transport.write(head + b"\0\0\0\0" + payload)  # masked with zeros, which costs nothing

    def _take(self, frame: Frame) -> None:
        seat = self._seat
        match frame.t:
            case "event" | "void":
                if not seat.advance(frame):
                    self._holder.lost += 1
                if frame.stream == "fair" and frame.t == "event" and self.live:
                    self._holder.news(frame)
            case "beat":
                self._send({"t": "ack", "pos": seat.account.pos, "fair_pos": seat.fair.pos})
            case "resumed":
                seat.account, seat.fair = _place(frame.account), _place(frame.fair)
            case "live":
                self.live = True
                if not self.greeted.done():
                    self.greeted.set_result(None)
                self._holder.came(seat)
            case "bye":
                self._holder.closed[str(frame.code)] += 1
                seat.wait_ms = frame.retry_after_ms
                self.transport.abort()
            case _:
                pass


class Seat:
    """One account that is held, over all of its sockets."""

    def __init__(self, actor: Actor, number: int) -> None:
        self.account = self.fair = Place(0, 0)
        self.cut_at: float | None = None
        self.began = 0.0
        self.wait_ms: int | None = None
        self._actor = actor
        self._number = number

    def hello(self) -> dict[str, object]:
        """The first frame; from the second socket on it resumes."""
        device = {"id": f"held-{self._number}"}
        hello: dict[str, object] = {"t": "hello", "protocol": [1, 1], "token": self._actor.token, "device": device}
        if self.account.epoch:
            hello["resume"] = {"account": self.account, "fair": self.fair}
        return hello

    def delay(self, failures: int) -> float:
        """How long to stay away: as the server says, else full jitter (W14)."""
        if self.wait_ms is not None:
            return self.wait_ms / 1000
        return random.random() * min(LAST_TRY_S, FIRST_TRY_S * 2.0 ** max(0, failures - 1))

    def advance(self, frame: Frame) -> bool:
        """Take the next position; False if it is not the next one."""
        before = self.account if frame.stream == "account" else self.fair
        after = Place(before.epoch, frame.to or frame.pos)
        if frame.stream == "account":
            self.account = after
        else:
            self.fair = after
        return frame.t == "void" or frame.pos == before.pos + 1


class Holder:
    """All of them."""

    def __init__(self, address: Address) -> None:
        self.live = self.lost = 0
        self.closed: Counter[str] = Counter()
        self.upgrade = (
            f"GET /v1/socket HTTP/1.1\r\nHost: {address.host}:{address.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: fairwire.v1.msgpack\r\n\r\n"
        ).encode()
        self._address = address
        self._fanout = Fanout()
        self._delivered: Counter[int] = Counter()
        self._connected: Counter[int] = Counter()
        self._again: Counter[int] = Counter()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._sockets: set[Held] = set()
        self._decoded: tuple[int, str, int] = (0, "", 0)
        self.latest: tuple[bytes, Frame] = (b"", Frame(""))
        """What came last of the fair, alone in its packet: whoever gets the same bytes need not decode them."""
        self._cpu = (time.process_time(), time.monotonic())

    def news(self, frame: Frame) -> None:
        """A socket has an announcement; its body is decoded once for all."""
        if self._decoded[0] != frame.pos:
            one = _news(frame.body)
            self._decoded = (frame.pos, one.id.replace("-", ""), one.ts)
        _, key, ts = self._decoded
        ms = self._fanout.deliver("announcement", key, ts, time.time_ns())
        self._delivered[round(ms)] += 1

    def came(self, seat: Seat) -> None:
        """A socket is live."""
        self.live += 1
        now = time.monotonic()
        self._connected[round((now - seat.began) * 1000)] += 1
        if seat.cut_at is not None:
            self._again[round((now - seat.cut_at) * 1000)] += 1
            seat.cut_at = None

    def cut(self) -> None:
        """Every socket loses its network."""
        for held in list(self._sockets):
            held.transport.abort()

    async def keep(self, seat: Seat) -> None:
        """One seat, from now on."""
        loop, failures = asyncio.get_running_loop(), 0
        context = ssl.create_default_context() if self._address.secure else None
        while True:
            seat.wait_ms = None
            try:
                async with self._turns, asyncio.timeout(60):
                    seat.began = time.monotonic()
                    _, held = await loop.create_connection(
                        lambda: Held(self, seat), self._address.host, self._address.port, ssl=context
                    )
                    self._sockets.add(held)
                    await asyncio.wait([held.greeted, held.ended], return_when=asyncio.FIRST_COMPLETED)
                failures = 0
                await held.ended
                self._sockets.discard(held)
                seat.cut_at = time.monotonic()
            except (OSError, TimeoutError) as error:
                self.closed[type(error).__name__] += 1
            failures += 1
            await asyncio.sleep(seat.delay(failures))

    def report(self) -> Report:
        """Since the last one."""
        cpu, at = self._cpu
        self._cpu = (time.process_time(), time.monotonic())
        report = Report(
            live=self.live,
            spreads=list(self._fanout.take(time.time_ns() - 1_000_000_000)),
            delivered=dict(self._delivered),
            connected=dict(self._connected),
            again=dict(self._again),
            lost=self.lost,
            closed=dict(self.closed),
            share=(self._cpu[0] - cpu) / max(0.001, self._cpu[1] - at),
        )
        for counted in (self._delivered, self._connected, self._again):
            counted.clear()
        return report


async def hold(address: Address, actors: list[Actor]) -> None:
    """Until it is told to end, or whoever started it is gone."""
    holder = Holder(address)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    encode = msgspec.json.Encoder().encode

    def say() -> None:
        sys.stdout.buffer.write(encode(holder.report()) + b"\n")
        sys.stdout.buffer.flush()

    async def report() -> None:
        while True:
            await asyncio.sleep(1)
            say()

    tasks = [asyncio.create_task(holder.keep(Seat(actor, number))) for number, actor in enumerate(actors)]
    tasks.append(asyncio.create_task(report()))
    while (await lines.readline()).strip() == b"cut":
        holder.cut()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    say()


def main() -> None:
    """From its command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", required=True)
    parser.add_argument("--accounts", type=Path, required=True)
    parser.add_argument("--users", type=int, required=True, help="active users, whose accounts are left alone")
    parser.add_argument("--hold", type=int, required=True)
    chosen = parser.parse_args()
    actors = Cast.of(read_actors(chosen.accounts), chosen.users, chosen.hold).held
    if not all(actor.token for actor in actors):
        raise SystemExit("held accounts need tokens: python -m fairwire_server token --all --ttl 86400 --out FILE")
    uvloop.run(hold(Address.of(chosen.host), list(actors)))


if __name__ == "__main__":
    main()
