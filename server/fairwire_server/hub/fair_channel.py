"""A fair's stream, which thousands of sockets follow: announcements.

The bytes are the same for everybody of a codec and prepared once (W3). They are written at once, some hundreds of sockets in a turn
of the event loop, to those that are `Ready` without looking at them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from operator import length_hint
from time import perf_counter
from typing import Final

from fairwire_protocol.codec import Codec
from fairwire_server.hub.channels import Channel
from fairwire_server.hub.ready import Ready
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.told import Told

__all__ = ["AT_ONCE", "SLICE", "FairChannel", "sockets_of_turn"]

AT_ONCE: Final = 1_024
"""Sockets of a fair that are written to in one turn of the loop, at most and in the first one: some milliseconds, and all there are on
a quiet node."""
SLICE: Final = 400
"""Sockets in each further turn, at least: two or three milliseconds, since what a message waits for takes several turns."""
SHARE: Final = 3
"""On a busy node, how many times as long as everything else of a turn they may take: the last of thousands waits for all of that.
Two large fairs with an announcement at the same moment are everything else to each other, and have `AT_ONCE` each."""


def sockets_of_turn(before: int, took: float, elsewhere: float) -> int:
    """How many have the next turn, when so many took that long in the one before, and everything else as long since."""
    return max(SLICE, min(AT_ONCE, round(before * SHARE * elsewhere / max(took, 1e-6))))


class _Push:
    """Events of the fair on their way to those who have not had their turn yet."""

    __slots__ = ("_began", "_data", "_ended", "_others", "_turn", "due", "others")

    def __init__(self, due: list[tuple[int, Told]], others: list[Socket]) -> None:
        self.due = due
        self.others = others
        """Whoever has to be looked at; some come while it is under way."""
        self._others = iter(others)
        self._data: dict[str, bytes] = {}
        self._turn = AT_ONCE
        self._began = self._ended = 0.0

    def data(self, codec: Codec) -> bytes:
        """All of them as the same bytes for everybody of a codec (W3)."""
        data = self._data.get(codec.name)
        if data is None:
            frames = (codec.event_frame("fair", pos, told.encoded("team", codec)) for pos, told in self.due)
            data = b"".join(websocket_frame(frame, binary=codec.binary) for frame in frames)
            self._data[codec.name] = data
        return data

    def begin_turn(self) -> int:
        """How many sockets it has."""
        now = perf_counter()
        if self._ended:
            self._turn = sockets_of_turn(self._turn, self._ended - self._began, now - self._ended)
        self._began = now
        return self._turn

    def take(self, most: int) -> Iterator[Socket]:
        """The next who have to be looked at."""
        return islice(self._others, most)

    def end_turn(self) -> bool:
        """Whether there are others, whose turn comes later."""
        self._ended = perf_counter()
        return length_hint(self._others) > 0


class FairChannel(Channel):
    """The stream of a fair. What was committed together, or while a push was under way, is pushed together."""

    __slots__ = ("_due", "_others", "_pushing", "_ready", "_under_way")

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._due: list[tuple[int, Told]] = []
        self._ready: dict[str, Ready] = {}
        """By codec."""
        self._others: dict[int, Socket] = {}
        """Whoever is not ready."""
        self._pushing = False
        self._under_way: _Push | None = None

    def join(self, socket: Socket) -> None:
        super().join(socket)
        self._others[socket.number] = socket

    def leave(self, socket: Socket) -> None:
        super().leave(socket)
        socket.unready()
        self._others.pop(socket.number, None)

    def shut(self) -> None:
        super().shut()
        self._due.clear()
        self._ready.clear()

    def _cursor(self, socket: Socket) -> int:
        return socket.fair_cursor

    def _push(self, pos: int, told: Told) -> None:
        self._due.append((pos, told))
        self._push_soon()

    def _push_soon(self) -> None:
        if self._due and not self._pushing:
            self._pushing = True
            asyncio.get_running_loop().call_soon(self._push_due)

    def _push_due(self) -> None:
        """What was handed out since the last turn, in one write to each."""
        due, self._due = self._due, []
        if not due:  # nobody follows any more
            self._pushing = False
            return
        for ready in self._ready.values():
            ready.begin(due[0][0] - 1, due[-1][0])
        self._under_way = _Push(due, list(self._others.values()))
        self._push_slice(self._under_way)

    def _push_slice(self, push: _Push) -> None:
        """A slice of the sockets, then the loop's turn: thousands of writes must not hold up everything else."""
        most, count, written, size = push.begin_turn(), 0, 0, 0
        for ready in self._ready.values():
            if most > 0 and ready.waiting:
                data = push.data(ready.codec)
                many = ready.write(data, most)
                most -= many
                written += many
                size += many * len(data)
        before, last = push.due[0][0] - 1, push.due[-1][0]
        for socket in push.take(max(0, most)):
            if not socket.live or socket.fair_cursor != before:
                if socket.live and socket.fair_cursor < last:
                    socket.lag()
                continue
            data = push.data(socket.codec)
            if socket.push_fair_events(last, data):
                self._now_ready(socket)
                written += 1
                size += len(data)
            else:
                count += 1
        events = last - before
        self.metrics.deliveries += (count + written) * events
        self.metrics.frames_out += written * events
        self.metrics.bytes_out += size
        if push.end_turn() or any(ready.waiting for ready in self._ready.values()):
            asyncio.get_running_loop().call_soon(self._push_slice, push)
        else:
            self._pushing, self._under_way = False, None
            self._push_soon()

    def _now_ready(self, socket: Socket) -> None:
        codec = socket.codec
        ready = self._ready.get(codec.name)
        if ready is None:
            ready = self._ready[codec.name] = Ready(codec, self._no_longer_ready)
        ready.add(socket)
        del self._others[socket.number]

    def _no_longer_ready(self, socket: Socket) -> None:
        self._others[socket.number] = socket
        if self._under_way is not None:  # it may not have had its turn
            self._under_way.others.append(socket)
