"""A wire between a flood and its listener: a little in each turn of the loop, in order, and nothing while the listener does not read."""

from __future__ import annotations

import asyncio
import socket

from websockets.frames import Frame, Opcode

from fairwire_server.doors.wire import Wire
from tests.harness.until import until

COUNT = 2_000
MOST = 256
"""Messages of one connection in a turn: what a read brings and what is left of the one before may meet in it."""


class Listener:
    """Notes what came in which turn of the loop; stops reading after `stop_after` messages."""

    def __init__(self, stop_after: int = 0) -> None:
        self.wire: Wire
        self.turn = 0
        self.came: list[tuple[int, str]] = []
        self._stop_after = stop_after

    def received(self, data: bytes | str) -> None:
        self.came.append((self.turn, str(data)))
        if len(self.came) == self._stop_after:
            self.wire.pause_reading()

    def ended(self) -> None:
        pass

    async def count_turns(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)


async def flooded(listener: Listener) -> socket.socket:
    """A client that has sent all of it at once to a wire that `listener` listens to."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
    listener.wire = wire = Wire(transport, 65_536)
    wire.listener = listener
    line = b"".join(Frame(Opcode.TEXT, str(number).encode()).serialize(mask=True) for number in range(COUNT))
    transport.set_protocol(wire)
    await loop.sock_sendall(theirs, line)
    return theirs


async def test_a_flood_leaves_every_turn_of_the_loop_to_others_w12() -> None:
    listener = Listener()
    counting = asyncio.create_task(listener.count_turns())
    client = await flooded(listener)
    await until(lambda: len(listener.came) == COUNT)
    counting.cancel()
    assert [data for _, data in listener.came] == [str(number) for number in range(COUNT)]
    turns = [turn for turn, _ in listener.came]
    assert max(turns.count(turn) for turn in set(turns)) <= MOST
    client.close()
    listener.wire.abort()


async def test_what_is_left_of_a_flood_waits_until_the_listener_reads_again_w8() -> None:
    listener = Listener(stop_after=200)
    client = await flooded(listener)
    await until(lambda: len(listener.came) >= 200)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(listener.came) <= 200 + MOST, "only what was read already came after the stop"
    for _ in range(3):  # once is enough, and more do no harm
        listener.wire.resume_reading()
        listener.wire.pause_reading()
        listener.wire.resume_reading()
    await until(lambda: len(listener.came) == COUNT)
    assert [data for _, data in listener.came] == [str(number) for number in range(COUNT)]
    client.close()
    listener.wire.abort()
