"""Announcements to sockets that are not looked at, and to all others: whole, once, in order, whatever happens between (W2, W3, W4, W12).

The real channel, sockets and connections over the kernel's own; only what a node has around them is left out.
"""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgpack
import msgspec
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwire_protocol.codec import JSON, MSGPACK, Codec
from fairwire_protocol.errors import Close
from fairwire_protocol.events import Announcement
from fairwire_server.accounts.rules import Caller
from fairwire_server.doors.wire import Wire
from fairwire_server.hub import fair_channel
from fairwire_server.hub.fair_channel import FairChannel
from fairwire_server.hub.socket import QueueLimits, Socket, websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.told import Told

LIMITS = QueueLimits(max_bytes=40_000, max_frames=64, blocked_s=60, lagging_s=60)
CLOSE = 0x88
TURNS = 50
"""More of the loop's than any announcement takes."""
CODECS = (MSGPACK, JSON)


@dataclass
class Person:
    """Somebody's socket, and the other end of it."""

    socket: Socket
    wire: Wire
    end: sockets.socket
    codec: Codec
    since: int
    stopped_at: int | None = None
    bytes: bytearray = field(default_factory=bytearray)
    said: int = 0

    def read(self) -> None:
        """Take in what there is."""
        if self.end.fileno() < 0:
            return
        with suppress(BlockingIOError, ConnectionError):
            while data := self.end.recv(65_536):
                self.bytes += data

    def heard(self) -> tuple[list[int], list[int]]:
        """Positions of the fair stream, and numbers of chats. A frame that is not whole may only be the last."""
        positions, chats, at, left = [], [], 0, False
        while len(self.bytes) - at >= 2:
            size, start = self.bytes[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(self.bytes[at + 2 : at + 4]), at + 4
            if start + size > len(self.bytes) or self.bytes[at] == CLOSE:
                break
            head, at = self.bytes[at], start + size
            assert not left, "something after the goodbye"
            assert head in {0x81, 0x82}, head
            frame: dict[str, Any] = (msgpack.unpackb if self.codec is MSGPACK else msgspec.json.decode)(
                bytes(self.bytes[start:at])
            )
            left = frame["t"] == "bye"
            if frame["t"] == "event":
                positions.append(frame["pos"])
            elif frame["t"] == "chat":
                chats.append(frame["n"])
        return positions, chats


class Fair:
    """A fair's channel, and everybody there."""

    def __init__(self) -> None:
        self.channel = FairChannel(Metrics())
        self.people: list[Person] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.pos = self.baseless = 0
        self.asked = False

    def spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)

    def lagged(self, socket: Socket) -> None:
        """It would be refilled from the log; here it has nothing more. A full queue is a reason (W12), and to have come between two
        announcements that are pushed together."""
        self.baseless += not (self.asked or socket.full() or socket.fair_cursor == self.people[socket.number].since)
        self.people[socket.number].stopped_at = socket.fair_cursor

    async def join(self, codec: Codec) -> None:
        """Somebody who has read everything, with hardly any room in the socket."""
        loop = asyncio.get_running_loop()

        def dirty(one: Socket) -> None:
            loop.call_soon(one.flush)

        ours, end = sockets.socketpair()
        ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        ours.setblocking(False)
        end.setblocking(False)
        transport, _ = await loop.create_unix_connection(asyncio.Protocol, sock=ours)
        wire = Wire(transport, 65_536)
        caller = Caller(
            account=UUID(int=len(self.people)), fair=UUID(int=0), kind="buyer", name="", session=UUID(int=0), device="", table={}
        )  # fmt: skip
        socket = Socket(
            len(self.people), caller, "", codec, wire, LIMITS, self.channel.metrics, now=0.0, expires_at=0.0,
            dirty=dirty, spawn=self.spawn, on_lag=self.lagged,
        )  # fmt: skip
        person = Person(socket, wire, end, codec, self.pos)
        wire.listener = Listener(person, self.channel)
        transport.set_protocol(wire)
        socket.fair_cursor = self.pos
        self.channel.join(socket)
        assert self.channel.caught_up(socket)
        socket.live = True
        self.people.append(person)

    def announce(self, size: int) -> None:
        """One more."""
        self.pos += 1
        self.tell(size)

    def tell(self, size: int = 1) -> None:
        """The last one is committed, or is said to be once more."""
        text = Announcement(id=UUID(int=self.pos), ts=0, title=str(self.pos), text="x" * size)
        self.channel.committed(self.pos, Told(text))

    def chat(self, person: Person, size: int) -> None:
        """Something of its own."""
        if person.socket.closing is None and not person.socket.full():
            person.said += 1
            data = person.codec.encode({"t": "chat", "n": person.said, "text": "y" * size})
            person.socket.push(websocket_frame(data, binary=person.codec.binary))

    async def turns(self, count: int) -> None:
        """So many turns of the loop."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def step(self, what: str, how: Any) -> None:
        """What is drawn next."""
        match what:
            case "join":
                await self.join(how)
            case "announce":
                self.announce(how)
            case "turn":
                await self.turns(how)
            case "chat":
                self.chat(self.people[how[0]], how[1])
            case "read":
                self.people[how].read()
            case "lag":
                self.asked = True
                self.people[how].socket.lag()
                self.asked = False
            case "midway":
                self.announce(1)
                self.chat(self.people[how], 9_000)  # more than fits, when the announcement's first turn is over
                await asyncio.sleep(0)
            case "squeeze":
                self.chat(self.people[how], 9_000)
                await self.turns(3)
                # There is room again just before the announcement.
                asyncio.get_running_loop().call_soon(self.people[how].read)
                self.announce(1)
            case "again":
                await self.turns(TURNS)
                self.channel.top -= 1  # as it is left when what it was told cannot be read yet
                self.tell()
                await self.turns(TURNS)
            case "hang_up":
                self.people[how].end.close()
            case _:
                self.people[how].stopped_at = self.people[how].socket.fair_cursor
                self.people[how].socket.close(Close.GOING_AWAY, "")

    def check(self, person: Person) -> None:
        """What it has heard is right so far."""
        assert not self.baseless
        positions, chats = person.heard()
        assert positions == list(range(person.since + 1, person.since + 1 + len(positions)))
        assert chats == list(range(1, len(chats) + 1))
        assert person.since + len(positions) <= person.socket.fair_cursor <= self.pos
        assert person.stopped_at in {None, person.socket.fair_cursor}

    async def settle(self) -> None:
        """Until nothing moves any more."""
        quiet = 0
        while quiet < 30:
            before = [len(person.bytes) for person in self.people]
            await asyncio.sleep(0)
            for person in self.people:
                person.read()
            quiet = quiet + 1 if before == [len(person.bytes) for person in self.people] else 0

    async def end(self) -> None:
        """All go."""
        for person in self.people:
            person.wire.abort()
            person.end.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.sleep(0)


@dataclass
class Listener:
    """The door's part: whoever is gone leaves."""

    person: Person
    channel: FairChannel

    def received(self, message: bytes | str) -> None:
        """Nobody says anything here."""

    def ended(self) -> None:
        """The connection is gone."""
        self.channel.leave(self.person.socket)
        self.person.socket.gone()


WHO = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.sampled_from(CODECS)),
        st.tuples(st.just("announce"), st.sampled_from([1, 200, 3_000])),
        st.tuples(st.just("turn"), st.integers(1, 3)),
        st.tuples(st.just("chat"), st.tuples(WHO, st.sampled_from([1, 3_000, 9_000]))),
        st.tuples(st.just("read"), WHO),
        st.tuples(st.just("lag"), WHO),
        st.tuples(st.just("midway"), WHO),
        st.tuples(st.just("squeeze"), WHO),
        st.tuples(st.just("again"), st.none()),
        st.tuples(st.just("hang_up"), WHO),
        st.tuples(st.just("close"), WHO),
    ),
    min_size=20,
    max_size=60,
)


Heard = list[tuple[list[int], list[int]]]


async def play(steps: list[tuple[str, Any]], reads: bool) -> tuple[Heard, Heard]:
    """What everybody who is live at the end has heard, and what they should have. The readers read by themselves, or only when they
    are told to."""
    fair = Fair()
    for codec in (*CODECS, *CODECS):
        await fair.join(codec)
    fair.announce(1)  # whoever has had one is ready for the next
    await fair.settle()
    try:
        for what, how in steps:
            await fair.step(what, how)
            for one in fair.people:
                if reads:
                    one.read()
                fair.check(one)
        await fair.settle()
        for one in fair.people:
            fair.check(one)
        live = [one for one in fair.people if one.socket.live and one.end.fileno() >= 0]
        due = [(list(range(one.since + 1, fair.pos + 1)), list(range(1, one.said + 1))) for one in live]
        return [one.heard() for one in live], due
    finally:
        await fair.end()


@settings(max_examples=150, deadline=None)
@given(STEPS, st.booleans())
def test_everybody_has_every_announcement_once_and_whole_w2_w4(steps: list[tuple[str, Any]], reads: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fair_channel, "AT_ONCE", 2)
        patch.setattr(fair_channel, "SLICE", 2)
        heard, due = uvloop.run(play(steps, reads))
    assert heard == due
