"""Channels: the sockets that follow one stream, and the order in which they get its events (W4).

Commit order is position order, so a position that was seen means that everything below it is committed. Two transactions may
still announce theirs the other way round: an event that comes too early is held for a moment; if what is missing does not come,
the sockets read it from the log.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from itertools import islice
from operator import length_hint
from time import perf_counter
from typing import Final
from uuid import UUID

from fairwire_protocol.codec import Codec
from fairwire_protocol.frames import Stream
from fairwire_server.hub.socket import Socket, websocket_frame
from fairwire_server.observe import Metrics
from fairwire_server.streams.told import Told

__all__ = ["HOLE_S", "UNKNOWN", "Channel"]

HOLE_S: Final = 0.1
AT_ONCE: Final = 1_024
"""Sockets of a fair that are written to in one turn of the loop, at most and in the first one: some milliseconds, and all there are on
a quiet node."""
SLICE: Final = 400
"""Sockets in each further turn, at least: two or three milliseconds, since what a message waits for takes several turns."""
SHARE: Final = 3
"""On a busy node, how many times as long as everything else of a turn they may take: the last of thousands waits for all of that.
Two large fairs with an announcement at the same moment are everything else to each other, and have `AT_ONCE` each."""
UNKNOWN: Final = -1


def sockets_of_turn(before: int, took: float, elsewhere: float) -> int:
    """How many have the next turn, when so many took that long in the one before, and everything else as long since."""
    return max(SLICE, min(AT_ONCE, round(before * SHARE * elsewhere / max(took, 1e-6))))


class _Copy:
    """What is due, as those with one codec get it, and who of them is written to in this turn."""

    __slots__ = ("data", "fds", "sockets")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fds: list[int] = []
        self.sockets: list[Socket] = []

    def write(self) -> int:
        """To each; the number of them."""
        write, data, size, count = os.write, self.data, len(self.data), len(self.fds)
        for at, fd in enumerate(self.fds):
            try:
                sent = write(fd, data)
            except OSError:  # no room, or nobody there: the connection finds out which
                sent = 0
            if sent != size:
                self.sockets[at].write(data[sent:])
        self.fds.clear()
        self.sockets.clear()
        return count


class _Push:
    """Events of the fair on their way to those who have not had their turn yet."""

    __slots__ = ("_began", "_crowd", "_ended", "_turn", "copies", "due")

    def __init__(self, due: list[tuple[int, Told]], crowd: list[Socket]) -> None:
        self.due = due
        self.copies: dict[str, _Copy] = {}
        self._crowd = iter(crowd)
        self._turn = AT_ONCE
        self._began = self._ended = 0.0

    def copy(self, codec: Codec) -> _Copy:
        """All of them as the same bytes for everybody of a codec (W3)."""
        copy = self.copies.get(codec.name)
        if copy is None:
            frames = (codec.event_frame("fair", pos, told.encoded("team", codec)) for pos, told in self.due)
            copy = _Copy(b"".join(websocket_frame(frame, binary=codec.binary) for frame in frames))
            self.copies[codec.name] = copy
        return copy

    def take(self) -> Iterator[Socket]:
        """Those whose turn it is."""
        now = perf_counter()
        if self._ended:
            self._turn = sockets_of_turn(self._turn, self._ended - self._began, now - self._ended)
        self._began = now
        return islice(self._crowd, self._turn)

    def more(self) -> bool:
        """Whether there are others, whose turn comes later."""
        self._ended = perf_counter()
        return length_hint(self._crowd) > 0


class Channel:
    """One stream as seen from this node. `top` is the last position handed out, UNKNOWN until a socket has read the log."""

    __slots__ = (
        "_crowd",
        "_due",
        "_held",
        "_metrics",
        "_pushing",
        "_timer",
        "expected",
        "id",
        "sockets",
        "stream",
        "top",
    )

    def __init__(self, stream: Stream, id_: UUID, metrics: Metrics) -> None:
        self.stream: Stream = stream
        self.id = id_
        self.top = UNKNOWN
        self.sockets: dict[int, Socket] = {}
        self.expected = 0
        """Sockets to come, for whom the log is being read: what is committed from now on must not go by unseen."""
        self._held: dict[int, Told] = {}
        self._due: list[tuple[int, Told]] = []
        self._crowd: list[Socket] | None = None
        """The sockets as a list, never changed: a copy for each announcement would touch every one of thousands once more."""
        self._pushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._metrics = metrics

    def join(self, socket: Socket) -> None:
        """It follows from now on."""
        self.sockets[socket.number] = socket
        self._crowd = None

    def leave(self, socket: Socket) -> None:
        """It follows no more."""
        self.sockets.pop(socket.number, None)
        self._crowd = None

    def committed(self, pos: int, told: Told) -> None:
        """An event was committed at `pos`. In order, it goes out now; early, it is held; old, it is known already."""
        if self.top == UNKNOWN or pos > self.top + 1:
            self._hold(pos, told)
        elif pos == self.top + 1:
            self._hand_out(pos, told)
            while self._held and (told_next := self._held.pop(self.top + 1, None)) is not None:
                self._hand_out(self.top + 1, told_next)
            if self._timer is not None and not self._held:
                self._stop_timer()

    def exists(self, pos: int) -> None:
        """Somebody else knows that the stream has reached `pos`: read the log if it does not come by itself."""
        if pos > self.top:
            self._give_up_on(pos)

    def _hold(self, pos: int, told: Told) -> None:
        if self.top == UNKNOWN:
            # Nobody is live yet: whoever is reading the log must read at least this far.
            self.top = pos
            return
        self._held[pos] = told
        self._metrics.holes += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HOLE_S, self._hole_stays)

    def _hole_stays(self) -> None:
        self._timer = None
        if self._held:
            self._give_up_on(max(self._held))

    def _give_up_on(self, pos: int) -> None:
        """What is missing up to `pos` will not come by itself: live sockets read it from the log."""
        self._held.clear()
        self._stop_timer()
        self.top = max(self.top, pos)
        for socket in list(self.sockets.values()):
            socket.lag()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hand_out(self, pos: int, told: Told) -> None:
        self.top = pos
        if self.stream == "fair":
            self._due.append((pos, told))
            self._push_soon()
        else:
            self._push_own(pos, told)

    def _push_own(self, pos: int, told: Told) -> None:
        receivable = told.receivable
        for socket in self.sockets.values():
            if not socket.live or pos <= socket.cursor:
                continue
            if pos != socket.cursor + 1:
                socket.lag()
                continue
            codec = socket.codec
            frame = codec.event_frame("account", pos, told.encoded(socket.view, codec))
            socket.push_event(pos, websocket_frame(frame, binary=codec.binary), receivable)
            self._metrics.deliveries += 1

    def _push_due(self) -> None:
        """What was handed out since the last turn, in one write to each."""
        due, self._due = self._due, []
        if not due:  # nobody follows any more
            self._pushing = False
            return
        if self._crowd is None:
            self._crowd = list(self.sockets.values())
        self._push_slice(_Push(due, self._crowd))

    def _push_slice(self, push: _Push) -> None:
        """A slice of the sockets, then the loop's turn: thousands of writes must not hold up everything else.

        All are looked at before the first is written to: a write leaves little in a processor's caches, and between writes every
        line of a socket's would come from memory.
        """
        before, last = push.due[0][0] - 1, push.due[-1][0]
        count = written = size = 0
        codec, copy = None, _Copy(b"")
        for socket in push.take():
            if not socket.live or socket.fair_cursor != before:
                if socket.live and socket.fair_cursor < last:
                    socket.lag()
                continue
            if socket.codec is not codec:
                codec = socket.codec
                copy = push.copy(codec)
            fd = socket.push_fair_events(last, copy.data)
            if fd >= 0:
                copy.fds.append(fd)
                copy.sockets.append(socket)
            count += 1
        for copy in push.copies.values():
            many = copy.write()
            written += many
            size += many * len(copy.data)
        events = last - before
        self._metrics.deliveries += count * events
        self._metrics.frames_out += written * events
        self._metrics.bytes_out += size
        if push.more():
            asyncio.get_running_loop().call_soon(self._push_slice, push)
        else:
            self._pushing = False
            self._push_soon()

    def _push_soon(self) -> None:
        if self._due and not self._pushing:
            self._pushing = True
            asyncio.get_running_loop().call_soon(self._push_due)

    def caught_up(self, socket: Socket) -> bool:
        """Whether the socket has everything that this channel knows of; the first to say so tells where the stream stands."""
        cursor = socket.fair_cursor if self.stream == "fair" else socket.cursor
        if self.top == UNKNOWN:
            self.top = cursor
        return cursor >= self.top

    def shut(self) -> None:
        """Nobody follows any more."""
        self._stop_timer()
        self._held.clear()
        self._due.clear()
